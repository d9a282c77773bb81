using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Codes;

/// <summary>Codes of the modelled kernel that only a bug of its user, or none at all, can earn.</summary>
public class RunCodeTests
{
    [Fact]
    public void MapWithoutEntries_IsMapRefused()
    {
        using var core = TestKernel.Boot();
        var act = () => MapFactory.Create(core, new("none", BpfMapType.Array) { KeySize = 4, ValueSize = 4 });

        act.Should().Throw<MapCreateException>().Which.Code.Should().Be(DiagCode.MapRefused);
    }

    [Fact]
    public void MapOfATypeOfOnesOwn_IsUnsupportedMapTypeForTheFactory()
    {
        using var core = TestKernel.Boot();
        var act = () => MapFactory.Create(core, new("own", BpfMapType.Hash)
        {
            KeySize = 4, ValueSize = 8, MaxEntries = 1, OwnType = new(1000, "OWN", BpfMapType.Hash),
        });

        act.Should().Throw<MapCreateException>().Which.Code.Should().Be(DiagCode.UnsupportedMapType);
    }

    [Fact]
    public void MapWithAPointerToUserMemory_IsUnsupportedMapField()
    {
        using var core = TestKernel.Boot();
        var act = () => MapFactory.Create(core, new("pages", BpfMapType.TaskStorage)
        {
            KeySize = 4, ValueSize = 8, Flags = MapFlags.NoPrealloc, Record = new(
                [new(BtfFieldKind.Uptr, "page", 0, 8)]),
        });

        act.Should().Throw<MapCreateException>().Which.Code.Should().Be(DiagCode.UnsupportedMapField);
    }

    [Fact]
    public void ReferenceToAnObjectThatLeaksAlready_IsRefCountSaturated()
    {
        using var core = TestKernel.Boot();
        var widget = new Widget(core);
        widget.Count.Set(RefCount.SaturatedValue);
        widget.TryAcquire()?.Release();

        core.TakeFaults().Should().Contain(f => f.Code == DiagCode.RefCountSaturated);
    }

    [Fact]
    public void ObjectFreedAgain_IsObjectDoubleFree()
    {
        using var core = TestKernel.Boot();
        var widget = new Widget(core);
        widget.Free();
        widget.Free();

        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.ObjectDoubleFree);
        widget.DestructorRuns.Should().Be(1);
    }

    [Fact]
    public void ThrowOutsideOfAProgram_IsCallMisuse()
    {
        var act = () => SectionKfuncs.Throw(1);

        act.Should().Throw<ProgramFaultException>().Which.Code.Should().Be(DiagCode.CallMisuse);
    }
}
