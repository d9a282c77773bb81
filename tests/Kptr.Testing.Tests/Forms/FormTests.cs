namespace Kptr.Testing.Tests.Forms;

/// <summary>Tries, queues, stacks and storage of one's own: every planted fault is found.</summary>
public class FormTests
{
    public static TheoryData<TrieFault, string> Tries => new()
    {
        { TrieFault.FindsShortest, "Contents" },
        { TrieFault.FindsExactOnly, "Contents" },
        { TrieFault.ComparesWholeBytes, "StaleKeys" },
        { TrieFault.ComparesBehindPrefix, "Contents" },
        { TrieFault.ForgetsDefault, "Contents" },
        { TrieFault.DeletesBelow, "Contents" },
        { TrieFault.TakesLongPrefixes, "Errnos" },
        { TrieFault.ShorterFirst, "Iteration" },
        { TrieFault.FullAnswersE2Big, "Errnos" },
        { TrieFault.ReplaceForgetsKptr, "DestroyOnOverwrite" },
        { TrieFault.KeepsShorterAway, "Contents" },
    };

    public static TheoryData<QueueFault, bool, string> Queues => new()
    {
        { QueueFault.LastFirst, false, "Order" },
        { QueueFault.LastFirst, true, "Order" },
        { QueueFault.LosesAtWrap, false, "Contents" },
        { QueueFault.PeekTakes, false, "Contents" },
        { QueueFault.PopKeeps, true, "Order" },
        { QueueFault.MakesRoomUnasked, false, "Errnos" },
        { QueueFault.DropsTheNewest, false, "Order" },
        { QueueFault.RefusesTooEarly, false, "Errnos" },
        { QueueFault.TakesUnknownFlags, true, "Errnos" },
        { QueueFault.WritesBeforeRefusing, false, "Contents" },
        { QueueFault.LeavesBufferDirty, false, "Opaque" },
        { QueueFault.CountsOutsideLock, false, "Threads" },
        { QueueFault.ReadsOutsideLock, false, "Threads" },
        { QueueFault.UserSeesOtherEnd, false, "Order" },
        { QueueFault.AnswersENospc, true, "Errnos" },
    };

    public static TheoryData<StorageFault, string> Storages => new()
    {
        { StorageFault.OutlivesOwner, "DestroyWithOwner" },
        { StorageFault.EndsWithRecycle, "DestroyOnOverwrite" },
        { StorageFault.SharedByAll, "StaleKeys" },
        { StorageFault.LeavesSlotOfOwner, "DestroyWithOwner" },
        { StorageFault.DeleteForgets, "DestroyOnDelete" },
        { StorageFault.NoSuchOwnerIsNoKey, "Errnos" },
    };

    [Theory, MemberData(nameof(Tries))]
    public void TrieFault_IsFound(TrieFault fault, string check) => IsFound(
        $"Trie{fault}", check, options => MapConformance.Run(
            core => new PlainTrie(core, fault),
            PlainTrie.Can with { FullErrno = MapCapabilities.Trie.FullErrno }, options));

    [Theory, MemberData(nameof(Queues))]
    public void QueueFault_IsFound(QueueFault fault, bool isStack, string check) => IsFound(
        $"Queue{fault}", check, options => MapConformance.Run(
            core => new PlainQueue(core, isStack, fault),
            isStack ? MapCapabilities.Stack : MapCapabilities.Queue, options));

    [Theory, MemberData(nameof(Storages))]
    public void StorageFault_IsFound(StorageFault fault, string check) => IsFound(
        $"Storage{fault}", check, options => MapConformance.Run(
            core => new PlainStorage(core, fault), MapCapabilities.LocalStorage, options));

    [Fact]
    public void EveryFault_IsInATable()
    {
        Tries.Select(r => (TrieFault)r[0]).Append(TrieFault.None).Should()
            .BeEquivalentTo(Enum.GetValues<TrieFault>());
        Queues.Select(r => (QueueFault)r[0]).Distinct().Append(QueueFault.None).Should()
            .BeEquivalentTo(Enum.GetValues<QueueFault>());
        Storages.Select(r => (StorageFault)r[0]).Append(StorageFault.None).Should()
            .BeEquivalentTo(Enum.GetValues<StorageFault>());
    }

    private static void IsFound(string name, string check, Func<ConformanceOptions, ConformanceReport> run)
    {
        for (var seed = 1; seed <= Seeds.Count; seed++)
        {
            var report = run(new()
            {
                Seed = seed, Scripts = 300, Only = [check], HangAfter = TimeSpan.FromSeconds(20),
            });
            report.Failures.Should().NotBeEmpty($"seed {seed} finds it");
            report.Failures.Should().OnlyContain(f => f.Check.Name == check);
            report.Failures[0].Script.Should().HaveCountLessThan(12, report.ToString());
            Reports.Show(name, report);
        }
    }
}
