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

    /// <summary>
    /// The order of stores, held against an enumeration with real buffers: what is shown can be, and what sets the
    /// orders apart is shown.
    /// </summary>
    [Theory]
    [InlineData("w0r1|w1r0")]           // each misses the other's store: both orders
    [InlineData("w0w1|r1r0")]           // the second store is seen first: ARM alone
    [InlineData("w0w1|w1w0")]
    [InlineData("w0w1|w1r0")]
    [InlineData("w0a2w1|r1r0")]         // an atomic between keeps the order
    [InlineData("w0w0|r0r0")]           // one cell has one order
    public void Explore_HeldStores_ShowWhatTheProcessorMay(string programs)
    {
        var strong = new CellStates(programs.Split('|'), hasInterrupt: false).Outcomes(4);
        foreach (var order in Enum.GetValues<MemoryOrder>())
        {
            var may = new WeakCells(programs.Split('|'), order).Outcomes();
            Explored(programs, 2, preemptions: 3, order).Should().BeEquivalentTo(may, $"{programs} on {order}");
            may.Should().Contain(strong);
        }
    }

    [Fact]
    public void Explore_RandomProgramsWithHeldStores_ShowsNothingElse()
    {
        var random = new Random(2);
        for (var i = 0; i < 4 * Seeds.Count; i++)
        {
            var programs = string.Join('|', Enumerable.Range(0, 2).Select(_ => string.Concat(
                Enumerable.Range(0, 4).Select(_ => $"{"rwwa"[random.Next(4)]}{random.Next(2)}"))));
            foreach (var order in Enum.GetValues<MemoryOrder>())
            {
                Explored(programs, 2, preemptions: 1, order).Should().BeSubsetOf(
                    new WeakCells(programs.Split('|'), order).Outcomes(), $"{programs} on {order}");
            }
        }
    }

    private static HashSet<string> Explored(
        string programs, int threads, int preemptions, MemoryOrder? order = null)
    {
        // What is rewritten has statics of its own: the process's are the same for all.
        var found = new HashSet<string>();
        var key = $"{Outcomes} {programs} {preemptions}";
        AppContext.SetData(key, found);
        Explore(programs, key, threads, preemptions, order).AssertPassed();
        AppContext.SetData(key, null);
        return found;
    }

    private static InterleavingReport Explore(
        string programs, string key, int threads, int preemptions, MemoryOrder? order) =>
        Interleavings.Explore(
            () => new CellProgram(programs),
            threads == 2 ? [p => p.Run(0), p => p.Run(1)] : [p => p.Run(0), p => p.Run(1), p => p.Run(2)],
            p => ((HashSet<string>)AppContext.GetData(key)!).Add(p.Outcome),
            new()
            {
                Preemptions = preemptions, HeldStores = order is null ? 0 : 2, RandomSchedules = 0,
                MemoryOrder = order ?? MemoryOrder.X86,
            },
            programs.Split('|').Length == threads ? null : threads == 2 ? [p => p.Run(2)] : [p => p.Run(3)]);
}
