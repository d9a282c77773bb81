using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Elf;
using Kptr.Verifier;

namespace Kptr.Tests.Model;

/// <summary>No program of an object loads where the kernel refuses one of its maps, and the check says so.</summary>
public class RefusedMapTests
{
    private static readonly MapFlags[] s_flags =
    [
        MapFlags.None, MapFlags.NoPrealloc, MapFlags.Mmapable, MapFlags.ZeroSeed, MapFlags.RdOnlyProg,
    ];

    [Fact]
    public void Object_OfAnyMap_IsAcceptedIfItLoads()
    {
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        var other = new List<string>();
        foreach (var spec in
            from type in Enum.GetValues<BpfMapType>()
            from flags in s_flags
            select new MapSpec("m", type) { KeySize = 4, ValueSize = 8, MaxEntries = 1, Flags = flags })
        {
            if (Accepts(kernel, spec) != Loads(kernel, spec))
            {
                other.Add($"{spec} {spec.Flags}");
            }
        }

        other.Should().BeEmpty("what is accepted loads");
    }

    [Theory]
    [InlineData("refused", "map \"numbers\" (Array): the kernel refuses it with EINVAL", Errno.EINVAL)]
    [InlineData("visible", "map \".bss.kept\" (Array): the kernel refuses it with ENOTSUPP", Errno.ENOTSUPP)]
    public void ObjectFromFile_IsRefused_AndSaysWhichMap(string name, string message, Errno errno)
    {
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        var said = ObjectCheck.Run(ElfObjects.Read(name), kernel.Spec).Single();
        said.Verdict.Should().Be(Verdict.Reject);
        said.Result.Message.Should().Be(message);
        said.Result.Errno.Should().Be(errno);
        said.Result.Diagnostics.Single().Code.Should().Be(DiagCode.MapRefused);

        using var loaded = BpfObject.From(ElfObjects.Read(name));
        var load = () => loaded.Load(kernel);
        load.Should().Throw<MapCreateException>().WithMessage(message).Which.Errno.Should().Be(errno);
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Map_WithoutASize_WaitsForUserSpaceToSetIt()
    {
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        Accepts(kernel, new("m", BpfMapType.Hash) { KeySize = 4, ValueSize = 8 }).Should().BeTrue();
    }

    private static bool Accepts(KernelModel kernel, MapSpec map) =>
        ObjectCheck.Run(With(map), kernel.Spec).Single().Verdict == Verdict.Accept;

    private static bool Loads(KernelModel kernel, MapSpec map)
    {
        try
        {
            using var loaded = BpfObject.From(With(map)).Load(kernel);
            return true;
        }
        catch (DiagnosticException)
        {
            return false;
        }
        catch (MapCreateException e)
        {
            return e.Code != DiagCode.MapRefused;      // what Kptr does not model is no verdict of a kernel
        }
    }

    private static ObjectSpec With(MapSpec map) => new("o")
    {
        Maps = [map],
        Progs =
        [
            new("p", ProgType.Syscall, [.. TextAssembler.Assemble("r0 = 0\nexit").Insns])
            {
                SectionName = "syscall", IsSleepable = true, License = "GPL",
            },
        ],
    };
}
