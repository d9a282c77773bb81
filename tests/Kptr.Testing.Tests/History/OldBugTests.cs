using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.History;

/// <summary>The kit finds Linux's old bugs, given nothing but a factory and a list of capabilities.</summary>
public class OldBugTests
{
    /// <summary>The bug, and a check that finds it.</summary>
    public static TheoryData<OldBug, string> Bugs => new()
    {
        { OldBug.ReplaceForgetsOld, "DestroyOnOverwrite" },
        { OldBug.SpareIsRoom, "Errnos" },
        { OldBug.ReplaceNeedsRoom, "Errnos" },
        { OldBug.CountLostOnFailure, "Errnos" },
        { OldBug.CountRaisedOnReplace, "Errnos" },
        { OldBug.CountKeptOnDelete, "Errnos" },
        { OldBug.FlagsIgnored, "Errnos" },
        { OldBug.WalkSkipsFromMissing, "Iteration" },
        { OldBug.WalkNeverEnds, "Iteration" },
        { OldBug.VisitEndsAtEmptyBucket, "Iteration" },
        { OldBug.VisitMiscounts, "Iteration" },
        { OldBug.VisitFollowsDeleted, "Iteration" },
        { OldBug.OldGoneBeforeNew, "FailedMovesNothing" },
        { OldBug.TakeReadsTooLate, "Contents" },
        { OldBug.TakeForgetsFields, "DestroyOnDelete" },
        { OldBug.DestroysUnderLock, "Unlocked" },
        { OldBug.KeyMissingWhileReplaced, "Threads" },
        { OldBug.LinkedBeforeWritten, "Threads" },
        { OldBug.CopiedWithoutLock, "Threads" },
        { OldBug.LookedUpOutsideLock, "Threads" },
        { OldBug.HeadReadOutsideLock, "Threads" },
        { OldBug.DeleteFoundOutsideLock, "Threads" },
        { OldBug.UnlinkBreaksChain, "Contents" },
        { OldBug.GrowLosesTail, "Contents" },
        { OldBug.KeyComparedInPart, "StaleKeys" },
        { OldBug.HashComparedOnly, "Contents" },
        { OldBug.LockedUpdateForgets, "DestroyOnOverwrite" },
        { OldBug.LockedUpdateIgnoresFlags, "Errnos" },
        { OldBug.EvictForgets, "DestroyOnDelete" },
        { OldBug.NodeLostOnRefusal, "Census" },
        { OldBug.EvictedStaysLinked, "StaleKeys" },
        { OldBug.DeletedStaysInOrder, "SlotsApart" },
        { OldBug.PercpuOverwriteForgets, "DestroyOnOverwrite" },
        { OldBug.PercpuOverwriteEndsOne, "DestroyOnOverwrite" },
        { OldBug.PercpuNewShowsOthers, "Contents" },
        { OldBug.PercpuIndexedById, "Contents" },
        { OldBug.PercpuReadsOne, "Contents" },
        { OldBug.PercpuProgramWritesAll, "Contents" },
        { OldBug.PercpuDeleteEndsOne, "DestroyOnDelete" },
        { OldBug.PercpuTakeForgetsOthers, "DestroyOnDelete" },
    };

    public static TheoryData<BpfMapType> Types =>
        [BpfMapType.Hash, BpfMapType.LruHash, BpfMapType.PercpuHash, BpfMapType.LruPercpuHash];

    [Theory, MemberData(nameof(Bugs))]
    public void Bug_IsFound(OldBug bug, string check)
    {
        var report = Run(TypeOf(bug), bug, new()
        {
            Only = [check],
            Rounds = 20,
            Policies = [DestroyBehavior.Eager],
            HangAfter = TimeSpan.FromSeconds(check == "Unlocked" ? 2 : 20),
        });
        report.Failures.Should().NotBeEmpty();
        report.Failures.Should().OnlyContain(f => f.Check.Name == check);
        Reports.Show($"old {bug}", report);
    }

    // Which element goes is the map's own business: LRU maps of Linux keep no exact order either.
    [Fact]
    public void VictimThatIsChosenBadly_IsNotFound() =>
        Run(BpfMapType.LruHash, OldBug.EvictsTheNewKey, new() { Scripts = 100, Rounds = 10 })
            .IsConformant.Should().BeTrue();

    [Fact]
    public void EveryBug_IsInTheTable() =>
        Bugs.Select(row => (OldBug)row[0]).Append(OldBug.None).Append(OldBug.EvictsTheNewKey).Should()
            .BeEquivalentTo(Enum.GetValues<OldBug>());

    [Theory, MemberData(nameof(Types))]
    public void MapWithoutABug_IsConformant(BpfMapType type)
    {
        for (var seed = 1; seed <= Seeds.Count; seed++)
        {
            var report = Run(type, OldBug.None, Seeds.Sound(seed));
            report.IsConformant.Should().BeTrue(report.ToString());
        }
    }

    private static BpfMapType TypeOf(OldBug bug) => bug < OldBug.EvictForgets ? BpfMapType.Hash
        : bug < OldBug.PercpuOverwriteForgets ? BpfMapType.LruHash
        : BpfMapType.PercpuHash;

    private static ConformanceReport Run(BpfMapType type, OldBug bug, ConformanceOptions options)
    {
        var isLru = type is BpfMapType.LruHash or BpfMapType.LruPercpuHash;
        var can = (isLru ? MapCapabilities.Lru : MapCapabilities.Hash) with
        {
            CanTake = true, Batches = MapBatchOps.All, ReadsWhole = true,
        };
        return MapConformance.Run(core => new ChainMap(core, Spec(core, type), bug), can, options);
    }

    private static MapSpec Spec(KernelCore core, BpfMapType type) =>
        type == BpfMapType.Hash
            ? StructSpec.Of<int, LockedValue>(core, "chain", type, 4)
            : StructSpec.Of<int, MaskValue>(core, "chain", type, 4);
}
