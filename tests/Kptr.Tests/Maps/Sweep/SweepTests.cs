using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>
/// Map type × operation × flags × fields × context × policy, generated. For each cell: Linux's errno, every reference
/// in one place after every step, all slots accounted for, and one destructor run in the end.
/// <c>KPTR_SWEEP=all</c> tries all cells, otherwise a fixed third is tried.
/// </summary>
public class SweepTests
{
    private static readonly bool s_isWhole = Environment.GetEnvironmentVariable("KPTR_SWEEP") == "all";

    public static TheoryData<SweepMap, DestroyBehavior> Maps
    {
        get
        {
            var data = new TheoryData<SweepMap, DestroyBehavior>();
            foreach (var map in Enum.GetValues<SweepMap>())
            {
                data.Add(map, DestroyBehavior.Eager);
                data.Add(map, DestroyBehavior.Recycle);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void EveryCell_BehavesAsLinux(SweepMap map, DestroyBehavior policy)
    {
        using var core = MapKernel.Boot(policy, faults: new());
        var wrong = new List<string>();
        foreach (var cell in SweepCell.All(map, policy).Where(c => c.WhyImpossible() is null).Where(IsTried))
        {
            wrong.AddRange(SweepRun.Check(cell, core).Select(w => $"{cell}: {w}"));
        }

        wrong.Should().BeEmpty();
        core.Ledger.AssertAllReturned();
    }

    // A multiplicative hash of the place: a plain remainder would leave out whole fields or contexts.
    private static bool IsTried(SweepCell cell, int at) => s_isWhole || ((uint)at * 2654435761u >> 16) % 3 == 0;

    /// <summary>
    /// Keeps <c>docs/map-sweep.md</c> what is held against Kptr's maps. <c>KPTR_UPDATE_DOCS=1</c> writes it anew.
    /// </summary>
    [Fact]
    public void Table_InTheDocs_IsWhatIsChecked()
    {
        var file = Path.Combine(TestData.Root, "docs", "map-sweep.md");
        var table = SweepReport.Write();
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(file, table);
        }

        File.ReadAllText(file).Should().Be(table, "KPTR_UPDATE_DOCS=1 dotnet test writes it anew");
    }
}
