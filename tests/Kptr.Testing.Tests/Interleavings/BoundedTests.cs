namespace Kptr.Testing.Tests.Schedules;

/// <summary>
/// The outcomes that are found are those that there are: an enumeration of all interleavings that knows nothing of hot
/// sites, states that were seen and turns that are left out finds the same ones.
/// </summary>
public class BoundedTests
{
    private const string Outcomes = "outcomes";

    [Fact]
    public void Explore_RandomPrograms_FindsEveryOutcomeWithinTheBound()
    {
        var random = new Random(1);
        for (var i = 0; i < 6 * Seeds.Count; i++)
        {
            var threads = 2 + (i % 2);
            var programs = string.Join('|', Enumerable.Range(0, threads).Select(
                _ => CellProgram.Make(random, threads == 2 ? 5 : 3)));
            for (var preemptions = 0; preemptions <= 2; preemptions++)
            {
                Explored(programs, preemptions).Should().BeEquivalentTo(
                    CellProgram.AllOutcomes(programs.Split('|'), preemptions), $"{programs} with {preemptions}");
            }
        }
    }

    private static HashSet<string> Explored(string programs, int preemptions)
    {
        // What is rewritten has statics of its own: the process's are the same for all.
        var found = new HashSet<string>();
        var key = $"{Outcomes} {programs} {preemptions}";
        AppContext.SetData(key, found);
        var count = programs.Count(c => c == '|') + 1;
        Interleavings.Explore(
            () => new CellProgram(programs),
            count == 2 ? [p => p.Run(0), p => p.Run(1)] : [p => p.Run(0), p => p.Run(1), p => p.Run(2)],
            p => ((HashSet<string>)AppContext.GetData(key)!).Add(p.Outcome),
            new() { Preemptions = preemptions, HeldStores = 0, RandomSchedules = 0 }).AssertPassed();
        AppContext.SetData(key, null);
        return found;
    }
}
