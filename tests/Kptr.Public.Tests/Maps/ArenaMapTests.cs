using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>An arena as a process that has mapped it, and as programs that take its pages.</summary>
public class ArenaMapTests
{
    private const int Page = 4096;

    [Fact]
    public void Pages_AreTakenFromTheLowestOn_AndComeBackAsZeros()
    {
        using var kernel = PublicKernel.Boot();
        using var arena = Make(kernel, 4);
        var first = arena.AllocatePages(1);
        first.Should().Be(arena.UserVmStart);
        arena.AllocatePages(1, first).Should().Be(0, "it is taken");
        arena.AllocatePages(4).Should().Be(0, "three are left");
        arena.AllocatePages(1, first + (2 * Page)).Should().Be(first + (2 * Page));
        arena.AllocatePages(2).Should().Be(0, "no two lie together");
        arena.AllocatePages(1).Should().Be(first + Page);
        arena.Set(first, 7UL);
        arena.PageCount.Should().Be(3);

        arena.FreePages(first + 100, 2);

        arena.PageCount.Should().Be(1);
        arena.AllocatePages(2).Should().Be(first, "the low bits of the address did not count");
        arena.Get<ulong>(first).Should().Be(0);
    }

    [Fact]
    public void Touch_FromCSharp_MakesThePage_AndBytesMayCrossPages()
    {
        using var kernel = PublicKernel.Boot();
        using var arena = Make(kernel, 3);
        var at = arena.UserVmStart + Page - 2;

        arena.Get<uint>(at).Should().Be(0);

        arena.PageCount.Should().Be(2);
        arena.AllocatePages(2).Should().Be(0, "a page that was touched is taken");
        arena.Set(at, 0x11223344);
        arena.Get<ushort>(at + 2).Should().Be(0x1122);
        var all = new byte[3 * Page];
        arena.Read(arena.UserVmStart, all);
        BinaryPrimitives.ReadUInt32LittleEndian(all.AsSpan(Page - 2)).Should().Be(0x11223344);
        arena.Write(arena.UserVmStart, all);
        arena.PageCount.Should().Be(3);
    }

    [Fact]
    public void Touch_WhereTheMapWantsSignals_IsRefused_UnlessAProgramTookThePage()
    {
        using var kernel = PublicKernel.Boot();
        using var arena = Make(kernel, 2, MapFlags.SegvOnFault);
        arena.Invoking(a => a.Get<int>(a.UserVmStart)).Should().Throw<InvalidOperationException>()
            .WithMessage("*SIGSEGV*");
        var page = arena.AllocatePages(1);
        arena.Set(page, 5);
        arena.Get<int>(page).Should().Be(5);
        arena.Invoking(a => a.Set(page + Page - 2, 5)).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void Address_OutsideOfTheArena_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        using var arena = Make(kernel, 2);
        foreach (var bad in (ulong[])[0, arena.UserVmStart - 1, arena.UserVmEnd - 3, arena.UserVmEnd, ulong.MaxValue,
            (uint)arena.UserVmStart])
        {
            arena.Invoking(a => a.Get<int>(bad)).Should().Throw<ArgumentOutOfRangeException>();
            arena.Invoking(a => a.Write(bad, new byte[4])).Should().Throw<ArgumentOutOfRangeException>();
        }

        arena.Read(arena.UserVmEnd, []);
        arena.PageCount.Should().Be(0);
        arena.AllocatePages(1, arena.UserVmEnd).Should().Be(0);
        arena.AllocatePages(uint.MaxValue, arena.UserVmStart).Should().Be(0);
        arena.FreePages(arena.UserVmStart + Page, uint.MaxValue);
        arena.FreePages(ulong.MaxValue, uint.MaxValue);
    }

    [Fact]
    public void Reserved_PagesAreNotTaken_AndMayBeTouched()
    {
        using var kernel = PublicKernel.Boot(DestroyBehavior.Recycle);
        using var arena = Make(kernel, 3);
        var start = arena.UserVmStart;
        arena.ReservePages(start, 2).Should().Be(Errno.None);
        arena.ReservePages(start + Page, 1).Should().Be(Errno.EBUSY);
        arena.ReservePages(start + (2 * Page), 2).Should().Be(Errno.EINVAL);
        arena.ReservePages(start + 1, 1).Should().Be(Errno.None);
        arena.PageCount.Should().Be(0);
        arena.AllocatePages(1).Should().Be(start + (2 * Page));
        arena.Set(start, 3);
        arena.Get<int>(start).Should().Be(3);
        arena.FreePages(start, 2);
        arena.AllocatePages(2).Should().Be(start);
    }

    [Fact]
    public void LargestArena_TakesNoMemoryUntilItIsUsed()
    {
        using var kernel = PublicKernel.Boot();
        using var arena = Make(kernel, 1 << 20);
        (arena.UserVmEnd - arena.UserVmStart).Should().Be(1UL << 32);
        var last = arena.UserVmEnd - Page;
        arena.AllocatePages(1, last).Should().Be(last);
        arena.Set(last, 1);
        arena.PageCount.Should().Be(1);
    }

    [Fact]
    public void AddressOfTheBlueprint_IsKept_AndArenasDiffer()
    {
        using var kernel = PublicKernel.Boot();
        using var given = (ArenaMap)MapFactory.Create(kernel, new("a", BpfMapType.Arena)
        {
            MaxEntries = 1, Flags = MapFlags.Mmapable, MapExtra = 0x1234_5678_9000, InitialValue = [1, 2, 3],
        });
        given.UserVmStart.Should().Be(0x1234_5678_9000);
        given.Get<uint>(given.UserVmStart).Should().Be(0x030201);
        using var one = Make(kernel, 1);
        using var other = Make(kernel, 1);
        one.UserVmStart.Should().NotBe(other.UserVmStart);
        ((uint)one.UserVmStart).Should().NotBe(0, "a program would take the first byte for null");
    }

    [Fact]
    public void Threads_ThatTakeFreeAndTouch_NeverSeeSomebodyElsesPage()
    {
        using var kernel = PublicKernel.Boot();
        using var arena = Make(kernel, 16);
        Parallel.For(1, 5, me =>
        {
            for (var i = 0; i < 500; i++)
            {
                var at = arena.AllocatePages(2);
                if (at == 0)
                {
                    continue;
                }

                arena.Get<int>(at + Page).Should().Be(0);
                arena.Set(at + Page - 2, me);
                arena.Get<int>(at + Page - 2).Should().Be(me);
                arena.FreePages(at, 2);
            }
        });
        arena.PageCount.Should().Be(0);
    }

    private static ArenaMap Make(KernelModel kernel, uint pages, MapFlags flags = MapFlags.None) =>
        (ArenaMap)MapFactory.Create(
            kernel, new("arena", BpfMapType.Arena) { MaxEntries = pages, Flags = MapFlags.Mmapable | flags });
}
