using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kfuncs;

/// <summary>Compares the table of helpers with what Linux 6.12's own sources say.</summary>
public class HelperFactsTests
{
    [Fact]
    public void Helpers_HaveLinuxsNumbersAndNames_AllOfThem()
    {
        var linux = Facts().Select(f => $"{f.Number} {f.Name}").Distinct();

        HelperTable.All.Select(h => $"{(int)h.Id} {h.Name}").Distinct().Should().BeEquivalentTo(linux);
    }

    [Fact]
    public void Prototypes_InTheKernelsOwnFolder_AreInTheTable()
    {
        var ours = HelperTable.All
            .Select(h => (h.Name, h.Args.Length, h.GplOnly, h.MightSleep, h.PktAccess))
            .ToHashSet();

        var missing = Facts().Where(f => f.Source != "-").Where(f => !ours.Contains(
            (f.Name, int.Parse(f.Args, System.Globalization.CultureInfo.InvariantCulture), f.Flags.Contains("GplOnly"),
                f.Flags.Contains("MightSleep"), f.Flags.Contains("PktAccess"))));

        missing.Should().BeEmpty();
    }

    [Fact]
    public void Bodies_AreOfHelpersThatExist() =>
        HelperRegistry.Ids.Should().BeSubsetOf(HelperTable.All.Select(h => h.Id));

    private static IEnumerable<(int Number, string Name, string Args, string[] Flags, string Source)> Facts() =>
        from line in File.ReadLines(TestData.Path("helpers-6.12.tsv"))
        where !line.StartsWith('#')
        let cells = line.Split('\t')
        select (int.Parse(cells[0], System.Globalization.CultureInfo.InvariantCulture), cells[1],
            cells[2], cells[3].Split('|'), cells[4]);
}
