namespace Kptr.Testing.Tests.Schedules;

/// <summary>
/// The outcomes that are found are those that there are: an enumeration of all interleavings that knows nothing of hot
/// sites, states that were seen and turns that are left out finds the same ones.
/// </summary>
public class BoundedTests
{
    private const string Outcomes = "outcomes";

    [Theory, InlineData(false), InlineData(true)]
    public void Explore_RandomPrograms_FindsEveryOutcomeWithinTheBound(bool hasInterrupt)
    {
        var random = new Random(1);
        for (var i = 0; i < 6 * Seeds.Count; i++)
        {
            var threads = hasInterrupt ? 2 : 2 + (i % 2);
            var programs = string.Join('|', Enumerable.Range(0, threads + (hasInterrupt ? 1 : 0)).Select(
                t => CellProgram.Make(random, hasInterrupt ? 3 : threads == 2 ? 5 : 3, isInterrupt: t == threads)));
            for (var preemptions = 0; preemptions <= (hasInterrupt ? 1 : 2); preemptions++)
            {
                Explored(programs, threads, preemptions).Should().BeEquivalentTo(
                    new CellStates(programs.Split('|'), hasInterrupt).Outcomes(preemptions),
                    $"{programs} with {preemptions}");
            }
        }
    }

    private static HashSet<string> Explored(string programs, int threads, int preemptions)
    {
        // What is rewritten has statics of its own: the process's are the same for all.
        var found = new HashSet<string>();
        var key = $"{Outcomes} {programs} {preemptions}";
        AppContext.SetData(key, found);
        Explore(programs, key, threads, preemptions).AssertPassed();
        AppContext.SetData(key, null);
        return found;
    }

    private static InterleavingReport Explore(string programs, string key, int threads, int preemptions) =>
        Interleavings.Explore(
            () => new CellProgram(programs),
            threads == 2 ? [p => p.Run(0), p => p.Run(1)] : [p => p.Run(0), p => p.Run(1), p => p.Run(2)],
            p => ((HashSet<string>)AppContext.GetData(key)!).Add(p.Outcome),
            new() { Preemptions = preemptions, HeldStores = 0, RandomSchedules = 0 },
            programs.Split('|').Length == threads ? null : threads == 2 ? [p => p.Run(2)] : [p => p.Run(3)]);
}
