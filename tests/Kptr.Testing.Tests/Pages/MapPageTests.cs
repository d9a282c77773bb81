using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Pages;

/// <summary>What docs/testing-your-map.md and the README of Kptr.Testing show, besides the maps themselves.</summary>
public class MapPageTests
{
    [Fact]
    public void MyMap_IsConformant() =>
        MapConformance.Check(
            core => new MyMap(core, maxEntries: 4),
            MapCapabilities.Hash with { CanIterate = false, CanVisit = false },
            new() { Scripts = 50, Rounds = 10 });

    [Fact]
    public void ShownTestOfTheMap_FailsInTheCheckOfThePage()
    {
        var test = new ShownTests.PidMapTests();
        test.Invoking(t => t.PidMap_Conforms("DestroyOnOverwrite")).Should().Throw<ConformanceException>();
    }

    [Fact]
    public void ShownTestOfTheCount_FindsTheRace()
    {
        var test = new ShownTests.VisitCountTests();
        test.Invoking(t => t.VisitCount_CountsAll()).Should().Throw<Exception>().WithMessage("*thread 0*thread 1*");
    }

    [Fact]
    public void FailuresByName()
    {
        var plan = new FaultPlan().Fail("alloc_elem", nth: 3)
            .FailAtRandom("acquire", seed: 7, oneIn: 10, subject: "task_struct");
        using var kernel = new KernelModel(new() { FaultPlan = plan });
        using var map = new HashMap<int, ulong>(kernel, maxEntries: 16, flags: MapFlags.NoPrealloc);
        Errno[] said = [map.Update(1, 10), map.Update(2, 20), map.Update(3, 30), map.Update(4, 40)];
        Assert.Equal([Errno.None, Errno.None, Errno.ENOMEM, Errno.None], said);
        Assert.Equal("alloc_elem", plan.Injected[0].Name);      // which, which pass, of what, at which instruction
    }
}
