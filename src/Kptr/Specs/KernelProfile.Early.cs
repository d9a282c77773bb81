using System.Collections.Immutable;

namespace Kptr.Specs;

/// <content>Rules that kernels before 6.12 lack: on in every profile that does not say otherwise.</content>
public sealed partial record KernelProfile
{
    /// <summary>
    /// Whether pointers to kernel objects are trusted or not, and RCU-protected or not: since 6.2. Before, a pointer is
    /// as good as any other unless it came from a map without its reference.
    /// </summary>
    internal bool TracksTrust { get; init; } = true;

    /// <summary>
    /// Whether a kfunc's arguments are of kinds (dynptrs, objects, callbacks, lists): since 6.2. Before, they are
    /// compared with the prototype alone, and trusted means referenced.
    /// </summary>
    internal bool SortsKfuncArgs { get; init; } = true;

    /// <summary>
    /// Whether a referenced kptr loaded inside an RCU section can be used without taking it out: since 6.4. Before, it
    /// is untrusted as the others are.
    /// </summary>
    internal bool LoadsRcuKptrs { get; init; } = true;

    /// <summary>Whether reads through kernel pointers need a GPL-compatible license: since 6.2.</summary>
    internal bool ChecksTypedReadLicense { get; init; } = true;

    /// <summary>
    /// Whether a dynptr handed to a callback is known as one that may not be changed: since 6.2. Before, it is a
    /// pointer to a dynptr that helpers take as it is.
    /// </summary>
    internal bool TracksConstDynptrs { get; init; } = true;

    /// <summary>
    /// Whether a dynptr cannot end while a slot of its frame that holds data names its reference, as one does where a
    /// slice of it was spilled and written over by an atomic operation: in 6.12. 6.2 has no clones to look for, and
    /// 7.2 looks for them otherwise.
    /// </summary>
    internal bool MistakesDataForClones { get; init; } = true;

    /// <summary>
    /// Whether functions that the kernel marks may have their return value changed, and sleepable programs: since 6.3.
    /// Before, it was those of error injection, which the kernels compared with do not have.
    /// </summary>
    internal bool HasModifiableFunctions { get; init; } = true;

    /// <summary>Whether no program is attached to <c>__rcu_read_lock</c> and its unlock: in 6.12, not in 6.1.</summary>
    internal bool DeniesRcuReaders { get; init; } = true;

    /// <summary>
    /// Whether no program is attached to the end of a function that never returns: since 6.15 and in 6.12's later
    /// builds, not in 6.1.
    /// </summary>
    internal bool DeniesEndsOfNoReturn { get; init; } = true;

    /// <summary>
    /// Whether system calls may have their return value changed, and sleepable programs, in a kernel that is built
    /// without injection of errors into functions too: in 7.2.
    /// </summary>
    internal bool OpensSyscalls { get; init; }

    /// <summary>
    /// Whether callbacks are explored as called any number of times: since 6.7. Before, they are explored once, as if
    /// the helper were a call.
    /// </summary>
    internal bool UnrollsCallbacks { get; init; } = true;

    /// <summary>
    /// Whether callbacks give back what they took, and nothing else: in 6.12. In 7.2 a callback may take over what its
    /// caller holds and leave references to it, as any function may.
    /// </summary>
    internal bool CallbacksKeepApart { get; init; } = true;

    /// <summary>
    /// Whether it has the instructions of <c>-mcpu=v4</c> (sign extension, byte swaps, signed division, long jumps):
    /// since 6.6.
    /// </summary>
    internal bool HasV4Insns { get; init; } = true;

    /// <summary>
    /// Whether global functions are explored once something called them: since 6.8. Before, all are, and before the
    /// program itself.
    /// </summary>
    internal bool ChecksGlobalsLazily { get; init; } = true;

    /// <summary>
    /// Whether a pointer that equals one which is not null is known to be none either, and which pointers besides map
    /// values and sockets cannot be null: since 6.2.
    /// </summary>
    internal bool LearnsNullFromPointers { get; init; } = true;

    /// <summary>
    /// Whether what an LSM hook's program returns must be what the hook may return: since 6.12.
    /// </summary>
    internal bool ChecksLsmReturn { get; init; } = true;

    /// <summary>Whether programs at the hooks of paths (<c>path_mkdir</c>...) may sleep: in 6.12, not in 6.1.</summary>
    internal bool PathHooksSleep { get; init; } = true;

    /// <summary>Whether cgroups have hooks for addresses of unix sockets: since 6.7.</summary>
    internal bool HasUnixSockAddr { get; init; } = true;

    /// <summary>Whether programs of sockets' events see when a packet came (<c>skb_hwtstamp</c>): since 6.2.</summary>
    internal bool SockOpsHaveTimestamp { get; init; } = true;

    /// <summary>
    /// Whether programs of every type may ask who runs (<c>bpf_get_current_pid_tgid</c>, its cgroup): since 6.10.
    /// Before, those of tracing, of messages and of some cgroup hooks.
    /// </summary>
    internal bool EveryoneAsksForCurrent { get; init; } = true;

    /// <summary>Whether raw tracepoints have cookies: since 6.10.</summary>
    internal bool RawTracepointsHaveCookies { get; init; } = true;

    /// <summary>Whether members of <c>struct_ops</c> may sleep where their type lets them: in 6.12.</summary>
    internal bool StructOpsSleep { get; init; } = true;

    /// <summary>
    /// Whether ranges of numbers learn from each other in several rounds, two unknown numbers from a comparison, and
    /// numbers of any size from the stack: since 6.8. Before, one round, constants, and what fills its slot.
    /// </summary>
    internal bool DeducesBounds { get; init; } = true;

    /// <summary>Whether a CPU's number is known to be less than how many there are: in 6.12, not in 6.1.</summary>
    internal bool KnowsCpuNumbers { get; init; } = true;

    /// <summary>Whether constants may be stored to the context: since 6.3. Before, registers alone.</summary>
    internal bool StoresConstantsToContext { get; init; } = true;

    /// <summary>Whether static functions may be called while a lock is held: since 6.8.</summary>
    internal bool CallsUnderLock { get; init; } = true;

    /// <summary>
    /// Whether keys and values of maps may be in any memory: since 6.2. Before, on the stack, in packets and in maps.
    /// </summary>
    internal bool MapsTakeAnyMemory { get; init; } = true;

    /// <summary>
    /// Whether helpers read trusted kernel objects where they want memory: in 6.12, not in 6.1 and 6.2.
    /// </summary>
    internal bool ReadsObjectsAsMemory { get; init; } = true;

    /// <summary>
    /// Whether the objects that local storage is asked for may be null: since 6.4. Before, the program must know.
    /// </summary>
    internal bool StorageTakesNull { get; init; } = true;

    /// <summary>Whether sleepable programs may use maps with <c>bpf_spin_lock</c>: since 6.7.</summary>
    internal bool SleepersLock { get; init; } = true;

    /// <summary>Whether programs may ask for the address of a kernel function: in 6.12, not in 6.1.</summary>
    internal bool TakesFuncAddresses { get; init; } = true;

    /// <summary>
    /// Whether one load may read through trusted and untrusted pointers on different paths: in 6.12, not in 6.1.
    /// </summary>
    internal bool MixesTrustInLoads { get; init; } = true;

    /// <summary>Whether pointers found in unions are not trusted: in 6.12, not in 6.1.</summary>
    internal bool DistrustsUnions { get; init; } = true;

    /// <summary>Whether sleepable programs may use queues and stacks: in 6.12, not in 6.1.</summary>
    internal bool QueuesForSleepers { get; init; } = true;

    /// <summary>Whether it has kprobe sessions, which return 0 or 1: since 6.10.</summary>
    internal bool HasKprobeSession { get; init; } = true;

    /// <summary>
    /// Whether messages name ranges by their ends: since 6.8. Before, by known bits, <c>(0x0; 0x1)</c>.
    /// </summary>
    internal bool NamesRangesByEnds { get; init; } = true;

    /// <summary>
    /// Whether messages say that a program of this type cannot use a helper: since 6.10. Before, that it is unknown.
    /// </summary>
    internal bool NamesHelpersOfOthers { get; init; } = true;

    /// <summary>
    /// Whether the full log tells how precision was traced back, by names of registers and slots: since 6.4. Before, in
    /// other words, which are left out.
    /// </summary>
    internal bool LogsPrecision { get; init; } = true;

    /// <summary>Whether it has <c>may_goto</c>: since 6.9.</summary>
    internal bool HasMayGoto { get; init; } = true;

    /// <summary>
    /// Whether arguments of global functions may be tagged and dynptrs: since 6.8. Before, tags say nothing.
    /// </summary>
    internal bool HasArgTags { get; init; } = true;

    /// <summary>Whether it knows which arguments of tracepoints may be null: in 6.12, not in 6.1.</summary>
    internal bool KnowsNullTracepointArgs { get; init; } = true;

    /// <summary>
    /// Whether tracepoint and perf event programs may call the kfuncs of tracing programs: in 6.12, not in 6.1.
    /// </summary>
    internal bool TracepointsCallKfuncs { get; init; } = true;

    /// <summary>
    /// Whether registers kept around helpers that spare them (<c>bpf_fastcall</c>) take no stack: since 6.12.
    /// </summary>
    internal bool HasFastcall { get; init; } = true;

    /// <summary>To how many bytes the stack of each function of a call chain is rounded up.</summary>
    internal int StackAlignBytes { get; init; } = 16;

    /// <summary>The newest program type that it has: types are numbered in the order they came.</summary>
    internal ProgType LastProgType { get; init; } = ProgType.Netfilter;

    /// <summary>Types of maps whose values may have kptrs.</summary>
    internal ImmutableArray<BpfMapType> MapsWithKptrs { get; init; } = MapBtfRules.KptrMaps;
}
