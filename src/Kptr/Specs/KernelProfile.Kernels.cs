using System.Collections.Immutable;
using Kptr.Btf;

namespace Kptr.Specs;

#pragma warning disable CA1707 // the underscore stands for the dot of a kernel version

/// <content>
/// The kernels that there are profiles of, in the order that they are made in: all that is static stands here.
/// </content>
public sealed partial record KernelProfile
{
    private static readonly ImmutableDictionary<string, string> s_structOps = ImmutableDictionary.CreateRange(
        new Dictionary<string, string>
        {
            ["tcp_congestion_ops"] = "tcp_congestion_ops",
            ["sched_ext_ops"] = "sched_ext_ops",
            ["hid_bpf_ops"] = "base",
            ["bpf_testmod_st_ops"] = "base",
        });

    private static readonly ImmutableDictionary<string, string> s_earlyStructOps =
        ImmutableDictionary<string, string>.Empty.Add("tcp_congestion_ops", "tcp_congestion_ops");

    /// <summary>Linux 6.1: Kptr's verdicts are compared with a real one's.</summary>
    public static KernelProfile Linux6_1 { get; } = new("linux-6.1", ProfileSet.Linux6_1)
    {
        LastMapType = BpfMapType.UserRingbuf,
        LastProgType = ProgType.Syscall,
        RecordRules = BtfRecordRules.Linux6_1,
        VersionCode = (6 << 16) | (1 << 8),
        TracksTrust = false,
        LoadsRcuKptrs = false,
        SortsKfuncArgs = false,
        ChecksTypedReadLicense = false,
        TracksConstDynptrs = false,
        MistakesDataForClones = false,
        MapsWithKptrs = MapBtfRules.EarlyKptrMaps,
        StructOpsHelpers = s_earlyStructOps,
        HasModifiableFunctions = false,
        DeniesRcuReaders = false,
        DeniesEndsOfNoReturn = false,
        UnrollsCallbacks = false,
        HasV4Insns = false,
        HasMayGoto = false,
        HasArgTags = false,
        KnowsNullTracepointArgs = false,
        ChecksGlobalsLazily = false,
        LearnsNullFromPointers = false,
        ChecksLsmReturn = false,
        HasKprobeSession = false,
        DeducesBounds = false,
        KnowsCpuNumbers = false,
        StoresConstantsToContext = false,
        CallsUnderLock = false,
        MapsTakeAnyMemory = false,
        ReadsObjectsAsMemory = false,
        StorageTakesNull = false,
        TakesFuncAddresses = false,
        MixesTrustInLoads = false,
        DistrustsUnions = false,
        QueuesForSleepers = false,
        SleepersLock = false,
        EveryoneAsksForCurrent = false,
        RawTracepointsHaveCookies = false,
        PathHooksSleep = false,
        StructOpsSleep = false,
        HasUnixSockAddr = false,
        SockOpsHaveTimestamp = false,
        NamesRangesByEnds = false,
        NamesHelpersOfOthers = false,
        LogsPrecision = false,
        TracepointsCallKfuncs = false,
        HasFastcall = false,
        StackAlignBytes = 32,
    };

    /// <summary>Linux 6.2: tasks and cgroups as kptrs, trusted pointers, lists.</summary>
    public static KernelProfile Linux6_2 { get; } = Linux6_1 with
    {
        Name = "linux-6.2",
        Member = ProfileSet.Linux6_2,
        LastMapType = BpfMapType.CgrpStorage,
        RecordRules = BtfRecordRules.Linux6_2,
        VersionCode = (6 << 16) | (2 << 8),
        TracksTrust = true,
        SortsKfuncArgs = true,
        ChecksTypedReadLicense = true,
        TracksConstDynptrs = true,
        LearnsNullFromPointers = true,
        SockOpsHaveTimestamp = true,
        MapsTakeAnyMemory = true,
    };

    /// <summary>Linux 6.12, the reference: Kptr's verdicts are compared with a real one's.</summary>
    public static KernelProfile Linux6_12 { get; } = new("linux-6.12", ProfileSet.Linux6_12);

    /// <summary>Linux 7.2.</summary>
    public static KernelProfile Linux7_2 { get; } = new("linux-7.2", ProfileSet.Linux7_2)
    {
        Destroy = DestroyBehavior.Recycle,
        LastMapType = BpfMapType.Rhash,
        RecordRules = BtfRecordRules.Linux7_2,
        HasPercpuFlags = true,
        CallbacksKeepApart = false,
        OpensSyscalls = true,
        TrustsKfuncArgs = true,
        HidesKfuncArgs = true,
        SizedBuffersMayBeNull = true,
        LooksIntoGraphs = true,
        ChecksRefcountOffset = true,
        GlobalsReturnMore = true,
        ObjectsLieBelowFrame = true,
        ChecksThrownValues = true,
        ClosesLoopsByShape = true,
        HasStaticLiveness = true,
        KeepsIdsOfNonNull = true,
        WidensByValue = true,
        HasOrderedAccess = true,
        KnowsArrayHits = true,
        HelpersKeepReadSpills = true,
        CallFramesMax = 16,
        DynptrsFollowReferences = true,
        MistakesDataForClones = false,
        HasSessions = true,
        HasUntrustedArgs = true,
        TakesUnionArgs = true,
        HasLateLsmHooks = true,
        RingsOverwrite = true,
        LruBatchesKeepOrder = true,
        CountsQueueIn32Bits = false,
        TrieNodeBytes = 24,
        TracepointsCountArgs = true,
        TracepointsSleep = true,
        FiltersSchedulerKfuncs = true,
        WidensKfuncHooks = true,
        IndexesSyscallContext = true,
        OffsetsPlainContexts = true,
        SplitsNullCasts = true,
        CastsToVoid = true,
        ReadsUntrustedMemory = true,
        MayGotoNextInsn = true,
        ProbesWriteRegs = true,
        CallsMoreUnderLock = true,
        ChecksNmiUnsafeDrops = true,
        FollowsThrowsOfGlobals = true,
        RangesAreArcs = true,
        NamesArgsByRegister = true,
        FoldsOffsets = true,
        SaysIndirect = false,
        NamesEnds = true,
        NamesReleases = true,
        LogsLiveness = false,
        HasRefIds = false,
        RequiresRcuSection = true,
        TracingHasTimers = true,
        MoreMapsForSleepers = true,
        TakesAnyPointerArg = true,
        PacketsHaveNetnsCookie = true,
        ChecksSetRetval = true,
        MathForgetsPacketEnd = true,
        TracksSleepingFunctions = true,
        CallbacksSleepAlone = true,
        ChecksGlobalArgs = true,
        ChecksBtfWrites = true,
        OnlySyscallContextIsMemory = true,
        TailCallsEndFunctions = true,
        NestsRcuSections = true,
        SortsFunctions = true,
        ChecksFieldsAhead = true,
        ComparesWithNullRegisters = true,
        TakesSeveralReferences = true,
        TrustsReturnedObjects = true,
        NewSocketsHaveOptions = true,
        EveryoneAsksForTasks = true,
        KnowsLateNullTracepointArgs = true,
        GlobalsStartFrames = true,
        HasPrivateStacks = true,
        LogsCallDepth = true,
        MayGotoStackBytes = 16,
        ExchangesInsideGraphs = true,
        StructOpsHandOverReferences = true,
        LinksByAnyDifference = true,
        ForgetsLoneIds = true,
        FieldTrust = FieldTrust.Linux7_2,
        StructOpsHelpers = s_structOps.AddRange(new Dictionary<string, string>
        {
            ["bpf_testmod_ops"] = "base",
            ["bpf_testmod_ops2"] = "base",
            ["bpf_testmod_ops3"] = "base",
            ["bpf_testmod_multi_st_ops"] = "base",
            ["Qdisc_ops"] = "base",
            ["smc_hs_ctrl"] = "base",
            ["sched_ext_ops_cid"] = "sched_ext_ops",
            ["io_uring_bpf_ops"] = "base",
        }),
        VersionCode = (7 << 16) | (2 << 8),
    };

    /// <summary>Every profile, oldest first.</summary>
    public static ImmutableArray<KernelProfile> All { get; } = [Linux6_1, Linux6_2, Linux6_12, Linux7_2];
}
