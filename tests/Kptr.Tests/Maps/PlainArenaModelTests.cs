using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;
using static Kptr.Tests.Maps.PlainModel;

namespace Kptr.Tests.Maps;

/// <summary>An arena at random, against two plain arrays: which pages are taken, and what they hold.</summary>
public class PlainArenaModelTests
{
    private const int Page = 4096;
    private const int Pages = 6;

    [Theory]
    [InlineData(0u, 1)]
    [InlineData((uint)MapFlags.SegvOnFault, 2)]
    public void Arena(uint flags, int seed)
    {
        using var core = MapKernel.Boot();
        using var map = Make(core, flags);
        var (random, begin) = (new Random(seed), map.UserVmStart);
        var (taken, bytes) = (new bool[Pages], new byte[Pages][]);
        for (var step = 0; step < Steps; step++)
        {
            var (page, count) = (random.Next(-1, Pages + 1), random.Next(0, Pages + 1));
            var at = begin + (ulong)(long)(page * Page);
            var isInside = page >= 0 && page + count <= Pages;
            switch (random.Next(5))
            {
                case 0:
                    // An address's low half counts; the whole is no pointer to anywhere else.
                    var wanted = random.Next(2) == 0 ? 0 : at + ((ulong)random.Next(2) << 32);
                    var low = wanted != 0 ? page : Enumerable.Range(0, Pages - count + 1)
                        .Where(p => !taken.AsSpan(p, count).Contains(true)).DefaultIfEmpty(-1).First();
                    var gets = count > 0 && low >= 0 && low + count <= Pages
                        && !taken.AsSpan(low, count).Contains(true);
                    Assert.Equal(gets ? begin + (ulong)(low * Page) : 0, map.AllocatePages((uint)count, wanted));
                    for (var i = low; gets && i < low + count; i++)
                    {
                        (taken[i], bytes[i]) = (true, new byte[Page]);
                    }

                    break;
                case 1:
                    var askew = random.Next(4) == 0 ? 8ul : 0;
                    var expected = count == 0 || askew != 0 ? Errno.None : !isInside ? Errno.EINVAL
                        : taken.AsSpan(page, count).Contains(true) ? Errno.EBUSY : Errno.None;
                    Same(map.ReservePages(at + askew, (uint)count), expected);
                    if (expected == Errno.None && askew == 0 && isInside)
                    {
                        taken.AsSpan(page, count).Fill(true);
                    }

                    break;
                case 2 when random.Next(2) == 0:
                    map.FreePages(at + (ulong)random.Next(Page), (uint)count);
                    for (var i = page; page is >= 0 and < Pages && i < Math.Min(page + count, Pages); i++)
                    {
                        (taken[i], bytes[i]) = (false, null!);
                    }

                    break;
                case 3 or 4:
                    var (off, size) = (random.Next((Pages * Page) + 10), random.Next(6000));
                    var (isWrite, data) = (random.Next(2) == 0, new byte[size]);
                    random.NextBytes(data);
                    var thrown = Record.Exception(() =>
                    {
                        if (isWrite)
                        {
                            map.Write(begin + (ulong)off, data);
                        }
                        else
                        {
                            map.Read(begin + (ulong)off, data);
                        }
                    });
                    var isOut = off + size > Pages * Page;
                    Type? refusal = isOut ? typeof(ArgumentOutOfRangeException) : null;
                    for (var i = 0; !isOut && i < size; i++)
                    {
                        var (p, b) = ((off + i) / Page, (off + i) % Page);
                        if (bytes[p] is null && flags != 0)
                        {
                            refusal = typeof(InvalidOperationException);
                            break;
                        }

                        (bytes[p], taken[p]) = (bytes[p] ?? new byte[Page], true);
                        Assert.True(isWrite || bytes[p][b] == data[i]);
                        bytes[p][b] = data[i];
                    }

                    Assert.Equal(refusal, thrown?.GetType());
                    break;
            }

            Assert.Equal(bytes.Count(b => b is not null), map.PageCount);
        }
    }

    [Fact]
    public unsafe void Program_ReachesWhatIsInOnePageThatIsThere()
    {
        using var core = MapKernel.Boot();
        using var map = Make(core, 0);
        var space = map.Pages.Space;
        var low = (ulong)(uint)map.UserVmStart;
        space->Find(low, 1).Should().Be(0, "there is no page");
        map.AllocatePages(1, map.UserVmStart + Page).Should().NotBe(0);
        map.Set(map.UserVmStart + Page + 8, 7UL);
        (*(ulong*)space->Find(low + Page + 8, 8)).Should().Be(7);
        space->Find(low + (2 * Page) - 8, 8).Should().NotBe(0);
        space->Find(low + (2 * Page) - 7, 8).Should().Be(0, "it crosses the end of the page");
        space->Find(low + (2 * Page), 1).Should().Be(0);
        space->Find(low + Page - 1, 1).Should().Be(0);
        space->Find(low + (Pages * Page), 1).Should().Be(0);
        space->Find(low - 1, 1).Should().Be(0);
    }

    [Fact]
    public void Arena_WithoutMemory_HasNoPages_AndTakesNone()
    {
        using var core = MapKernel.Boot();
        using var map = Make(core, 0);
        map.AllocatePages(1).Should().Be(map.UserVmStart);
        for (var bytes = 1L << 50; bytes > 0; bytes /= 2)
        {
            core.Heap.TryCharge(bytes);
        }

        core.Heap.Uncharge(Page); // there is one page more
        map.AllocatePages(2).Should().Be(0);
        map.PageCount.Should().Be(1, "all or none");
        map.AllocatePages(1).Should().Be(map.UserVmStart + Page);
        map.Invoking(m => m.Get<byte>(m.UserVmStart + (3 * Page))).Should().Throw<InvalidOperationException>()
            .WithMessage("*no memory for a page*SIGSEGV");
        var spec = map.Spec with { InitialValue = [1, 2, 3] };
        FluentActions.Invoking(() => MapFactory.Create(core, spec)).Should().Throw<MapCreateException>()
            .Which.Errno.Should().Be(Errno.ENOMEM);
        map.FreePages(map.UserVmStart, Pages);
        map.AllocatePages(2).Should().Be(map.UserVmStart, "freed pages' memory waits at their place");
        map.FreeNow();
        core.Heap.TryCharge(2 * Page).Should().BeTrue("the arena gave its memory back");
        core.Heap.TryCharge(2 * Page).Should().BeFalse();
        map.Invoking(m => m.AllocatePages(1)).Should().Throw<ObjectDisposedException>();
        map.Invoking(m => m.PageCount).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void Arena_BeginsWithItsInitialBytes_AndIsNoMapOfKeys()
    {
        using var core = MapKernel.Boot();
        using var map = Make(core, 0, [.. Enumerable.Repeat((byte)9, Page + 1)]);
        map.PageCount.Should().Be(2);
        map.Invoking(m => m.Get<WidgetEntry>(m.UserVmStart)).Should().Throw<ArgumentException>();
        map.Invoking(m => m.Set(m.UserVmStart, default(WidgetEntry))).Should().Throw<ArgumentException>();
        (map.Get<byte>(map.UserVmStart), map.Get<ushort>(map.UserVmStart + Page)).Should().Be((9, 9));
        map.AllocatePages(1).Should().Be(map.UserVmStart + (2 * Page), "what was written is taken");
        map.UserVmEnd.Should().Be(map.UserVmStart + (Pages * Page));
        Same(map.DirectValueAddress(0, out var at), Errno.None);
        at.Should().Be(map.UserVmStart);
        Same(map.DirectValueAddress(Pages * Page, out at), Errno.None);
        at.Should().Be(map.UserVmEnd);
        Same(map.DirectValueAddress((Pages * Page) + 1, out at), Errno.ERANGE);
        at.Should().Be(0);
        Same(map.UpdateElem([], []), Errno.EOPNOTSUPP);
        Same(map.DeleteElem([]), Errno.EOPNOTSUPP);
        Same(map.GetNextKey([], []), Errno.EOPNOTSUPP);
        HasNoKeys(map, Errno.EINVAL);
    }

    private static ArenaMap Make(Kptr.Objects.KernelCore core, uint flags, byte[]? initial = null) =>
        (ArenaMap)MapFactory.Create(core, new("a", BpfMapType.Arena)
        {
            MaxEntries = Pages, Flags = MapFlags.Mmapable | (MapFlags)flags, InitialValue = [.. initial ?? []],
        });
}
