using System.Collections.Immutable;

namespace Kptr.Specs;

/// <content>Rules that came after 6.12: off in every profile that does not say otherwise.</content>
public sealed partial record KernelProfile
{
    /// <summary>
    /// Whether system calls may name one CPU of a per-CPU map (<c>BPF_F_CPU</c>), or all with one
    /// value (<c>BPF_F_ALL_CPUS</c>): in 7.2, not in 6.12.
    /// </summary>
    public bool HasPercpuFlags { get; init; }

    /// <summary>
    /// Whether every kfunc wants trusted arguments, unless it says that RCU-protected ones will do: since 7.0, where
    /// the flag <c>KF_TRUSTED_ARGS</c> is gone.
    /// </summary>
    public bool TrustsKfuncArgs { get; init; }

    /// <summary>
    /// Whether arguments that the verifier gives are no part of a kfunc's prototype (<c>KF_IMPLICIT_ARGS</c>):
    /// <c>bpf_obj_new</c> and others without <c>_impl</c>, since 7.0.
    /// </summary>
    internal bool HidesKfuncArgs { get; init; }

    /// <summary>
    /// Whether a kfunc's optional buffer that is null is still a buffer with the size after it, which may have to be a
    /// known one: in 7.2. In 6.12 the size is then a number of its own.
    /// </summary>
    internal bool SizedBuffersMayBeNull { get; init; }

    /// <summary>
    /// Whether programs look at nodes that stay in their list or tree (<c>bpf_list_front</c>, <c>bpf_rbtree_left</c>),
    /// whether what they look at may be taken out, and an owned node too: in 7.2.
    /// </summary>
    internal bool LooksIntoGraphs { get; init; }

    /// <summary>Whether <c>bpf_refcount_acquire</c> wants the object's own address: in 7.2.</summary>
    internal bool ChecksRefcountOffset { get; init; }

    /// <summary>
    /// Whether global functions may return nothing, or a pointer into an arena, which callers take for a number, and
    /// whether a type's own tag makes an argument such a pointer: in 7.2.
    /// </summary>
    internal bool GlobalsReturnMore { get; init; }

    /// <summary>Functions that may be open at once, the main program among them (<c>MAX_CALL_FRAMES</c>).</summary>
    internal int CallFramesMax { get; init; } = 8;

    /// <summary>
    /// Whether fields of instructions that must be zero are looked at before anything is explored, also of instructions
    /// that no path reaches: in 7.2.
    /// </summary>
    internal bool ChecksFieldsAhead { get; init; }

    /// <summary>
    /// Whether a comparison with a register that is zero tells a pointer from null, as one with the number does: in
    /// 7.2.
    /// </summary>
    internal bool ComparesWithNullRegisters { get; init; }

    /// <summary>
    /// Whether programs of cgroups may set and get the options of sockets that are made (<c>sock_create</c>): in 7.2.
    /// </summary>
    internal bool NewSocketsHaveOptions { get; init; }

    /// <summary>
    /// Whether programs of every type may look at tasks, their memory and storage, and signal them
    /// (<c>bpf_get_current_comm</c>, <c>bpf_task_storage_get</c>, <c>bpf_send_signal</c>...): in 7.2; in 6.12 those of
    /// tracing.
    /// </summary>
    internal bool EveryoneAsksForTasks { get; init; }

    /// <summary>Whether it knows of more tracepoints which arguments may be null, as of xfs and nfs: in 7.2.</summary>
    internal bool KnowsLateNullTracepointArgs { get; init; }

    /// <summary>
    /// Whether numbers stay linked by any constant difference, also a negative one or one of low halves: in 7.2. 6.12
    /// knows what a sum of 64 bits with a constant that is not negative adds.
    /// </summary>
    internal bool LinksByAnyDifference { get; init; }

    /// <summary>
    /// Whether a number that no other is linked with loses its id where a state is remembered: in 7.2.
    /// </summary>
    internal bool ForgetsLoneIds { get; init; }

    /// <summary>Whether a ring buffer may drop its oldest records (<c>BPF_F_RB_OVERWRITE</c>): in 7.2.</summary>
    internal bool RingsOverwrite { get; init; }

    /// <summary>
    /// Whether a CPU uses a batch of free LRU elements in the order it got them, or the last one first: in 7.2, which
    /// moves them through a list of its own; not in 6.12.
    /// </summary>
    internal bool LruBatchesKeepOrder { get; init; }

    /// <summary>Whether the bytes of a queue or stack are counted in 32 bits: in 6.12, not in 7.2.</summary>
    internal bool CountsQueueIn32Bits { get; init; } = true;

    /// <summary>Size in bytes of a trie's node (<c>struct lpm_trie_node</c>), which bounds its values.</summary>
    internal int TrieNodeBytes { get; init; } = 40;

    /// <summary>
    /// Whether the kernel objects that kfuncs return are trusted, and RCU-protected where the kfunc needs an RCU
    /// section: in 7.2. In 6.12 those of iterators are, and others with their reference.
    /// </summary>
    internal bool TrustsReturnedObjects { get; init; }

    /// <summary>
    /// Whether several arguments of a helper may come with references, such as a key and a value in one record of a
    /// ring buffer: in 7.2.
    /// </summary>
    internal bool TakesSeveralReferences { get; init; }

    /// <summary>
    /// Whether functions are put in order before anything is explored, and one that calls itself is refused by its
    /// name: in 7.2. In 6.12 the depth of calls ends it.
    /// </summary>
    internal bool SortsFunctions { get; init; }

    /// <summary>
    /// Whether a global function may open as many functions as if it were the program, since it is explored alone: in
    /// 7.2. The stack of the whole chain stays limited.
    /// </summary>
    internal bool GlobalsStartFrames { get; init; }

    /// <summary>
    /// Whether functions with 64 bytes of stack and more have a stack of their own in programs that may interrupt
    /// themselves (probes, tracepoints, <c>fentry</c>), unless a callback that runs later calls them: in 7.2, on
    /// x86-64.
    /// </summary>
    internal bool HasPrivateStacks { get; init; }

    /// <summary>Members of <c>struct_ops</c> whose programs ask for such stacks, as <c>type.member</c>.</summary>
    internal ImmutableHashSet<string> MembersOnPrivateStacks { get; init; } =
        ["bpf_testmod_ops3.test_1", "sched_ext_ops.dispatch", "sched_ext_ops_cid.dispatch"];

    /// <summary>
    /// Whether a dynptr ends with the reference that it is over or shares, in every frame and its slices with it, and
    /// may be overwritten while another shares its reference: in 7.2.
    /// </summary>
    internal bool DynptrsFollowReferences { get; init; }

    /// <summary>
    /// Whether global functions take any value as an argument that is tagged <c>arg:untrusted</c>, and read through it
    /// with faults caught: in 7.2.
    /// </summary>
    internal bool HasUntrustedArgs { get; init; }

    /// <summary>Whether programs may load arguments that are unions by value: in 7.2. In 6.12 structs alone.</summary>
    internal bool TakesUnionArgs { get; init; }

    /// <summary>
    /// Whether programs at the LSM hooks of block devices and where extended attributes are removed may sleep, devices
    /// are not trusted while they are made and freed, and no program attaches to <c>file_alloc_security</c>: in 7.2.
    /// </summary>
    internal bool HasLateLsmHooks { get; init; }

    /// <summary>
    /// Whether programs of tracepoints with types may use <c>bpf_get_func_arg</c> and <c>bpf_get_func_arg_cnt</c>: in
    /// 7.2.
    /// </summary>
    internal bool TracepointsCountArgs { get; init; }

    /// <summary>
    /// Whether one program runs at a function's entry and return (<c>fsession</c>, <c>uprobe.session</c>), and whether
    /// one may be attached to many functions (<c>fentry.multi</c>): in 7.2.
    /// </summary>
    internal bool HasSessions { get; init; }

    /// <summary>
    /// Whether programs of tracepoints may sleep, those with types at <c>sys_enter</c> and <c>sys_exit</c> alone: in
    /// 7.2.
    /// </summary>
    internal bool TracepointsSleep { get; init; }

    /// <summary>
    /// Whether what a function throws must be what the program may return: in 7.2. 6.12 asks a function's own rule.
    /// </summary>
    internal bool ChecksThrownValues { get; init; }

    /// <summary>
    /// Whether a value looked up in an array by a constant key inside it is known not to be null: since 6.14.
    /// </summary>
    internal bool KnowsArrayHits { get; init; }

    /// <summary>
    /// Whether a register that was spilled is still known after a helper read its place: since 6.14. Before, any
    /// helper's access makes bytes of it.
    /// </summary>
    internal bool HelpersKeepReadSpills { get; init; }

    /// <summary>Whether it has loads that acquire and stores that release, of any size: since 6.15.</summary>
    internal bool HasOrderedAccess { get; init; }

    /// <summary>
    /// Whether states of a loop learn from all its rounds, loops being what the code's shape says, before they may
    /// stand for others, and forget registers that nothing reads any more: in 7.2. 6.12 goes by the entry of the path
    /// that came back, and misses rounds that end elsewhere.
    /// </summary>
    internal bool ClosesLoopsByShape { get; init; }

    /// <summary>
    /// Whether the code itself says what of the stack anything may still read, before any path is explored: in 7.2.
    /// 6.12 marks what paths read, and knows it of a state once all paths from it are explored.
    /// </summary>
    internal bool HasStaticLiveness { get; init; }

    /// <summary>
    /// Whether a pointer that turns out not to be null keeps the id that it had until then: in 7.2. Before, only those
    /// to values with a lock do. Two pointers that came from one look-up then stay different from two of two.
    /// </summary>
    internal bool KeepsIdsOfNonNull { get; init; }

    /// <summary>
    /// Whether a round of a loop forgets a number only if its value changed: in 7.2. Before, it also does where only
    /// what the number is linked with changed.
    /// </summary>
    internal bool WidensByValue { get; init; }

    /// <summary>
    /// Whether an iterator or dynptr at the frame pointer itself is refused: in 7.2. 6.12 takes an iterator of one slot
    /// there for the one below.
    /// </summary>
    internal bool ObjectsLieBelowFrame { get; init; }

    /// <summary>Whether the kfuncs of schedulers are theirs alone, among structs of functions: in 7.2.</summary>
    internal bool FiltersSchedulerKfuncs { get; init; }

    /// <summary>
    /// Whether raw tracepoints have the kfuncs of tracing programs, and <c>sock_ops</c> programs those of cgroups: in
    /// 7.2.
    /// </summary>
    internal bool WidensKfuncHooks { get; init; }

    /// <summary>
    /// Whether system call programs reach their context at any offset within 64 KiB, variable and unaligned too,
    /// themselves and as memory of a helper or kfunc: in 7.2. In 6.12 at known and aligned offsets.
    /// </summary>
    internal bool IndexesSyscallContext { get; init; }

    /// <summary>
    /// Whether loads from a context that the kernel shows as it is (of tracing programs, of devices' cgroups, of
    /// netfilter) may go through a pointer with a known offset: in 7.2.
    /// </summary>
    internal bool OffsetsPlainContexts { get; init; }

    /// <summary>
    /// Whether <c>bpf_rdonly_cast</c> to <c>void</c> gives memory of any size, read with faults caught: in 7.2.
    /// </summary>
    internal bool CastsToVoid { get; init; }

    /// <summary>
    /// Whether a pointer that an object has to what is no struct is memory that nobody vouches for, read with faults
    /// caught, and such memory may be mixed with other in one load: in 7.2. Before, it was a number.
    /// </summary>
    internal bool ReadsUntrustedMemory { get; init; }

    /// <summary>Whether <c>may_goto</c> may lead to the next instruction: in 7.2.</summary>
    internal bool MayGotoNextInsn { get; init; }

    /// <summary>Whether probes may write the registers that are their context: in 7.2.</summary>
    internal bool ProbesWriteRegs { get; init; }

    /// <summary>Whether number iterators, arenas and streams may be used under a spin lock: in 7.2.</summary>
    internal bool CallsMoreUnderLock { get; init; }

    /// <summary>
    /// Whether tracing programs that may run in an NMI are kept from dropping objects whose fields cannot be ended
    /// there: in 7.2.
    /// </summary>
    internal bool ChecksNmiUnsafeDrops { get; init; }

    /// <summary>
    /// Whether a call of a global function that may throw is also followed as a throw: in 7.2. 6.12 thinks that it
    /// returns.
    /// </summary>
    internal bool FollowsThrowsOfGlobals { get; init; }

    /// <summary>
    /// Whether the null that a cast of an owned socket may give is explored as a path of its own: in 7.2.
    /// </summary>
    internal bool SplitsNullCasts { get; init; }

    /// <summary>
    /// Whether a range of numbers is an arc of the circle that they make, and not a signed and an unsigned one; then
    /// that of a quotient, a remainder by a constant, a swapped and a negated number is known as well, and a branch
    /// that would leave no number for an operand is not explored: in 7.2.
    /// </summary>
    internal bool RangesAreArcs { get; init; }

    /// <summary>Whether programs that trace may use maps with timers and work queues: in 7.2.</summary>
    internal bool TracingHasTimers { get; init; }

    /// <summary>Whether sleepable programs may use tries, resizable hashes and arrays of programs too: in
    /// 7.2.</summary>
    internal bool MoreMapsForSleepers { get; init; }

    /// <summary>
    /// Whether traffic control, a cgroup's packets and socket filters may ask for their network namespace's cookie:
    /// since 6.15.
    /// </summary>
    public bool PacketsHaveNetnsCookie { get; init; }

    /// <summary>
    /// Whether what <c>bpf_set_retval</c> sets must be what the hook may return, and what <c>bpf_get_retval</c> tells
    /// is known to be: in 7.2, not in 6.12.
    /// </summary>
    internal bool ChecksSetRetval { get; init; }

    /// <summary>
    /// Whether arithmetic on a packet pointer forgets that it was found at the packet's end or beyond: in 7.2. In
    /// 6.12 a known number leaves it that.
    /// </summary>
    internal bool MathForgetsPacketEnd { get; init; }

    /// <summary>
    /// Whether global functions that may sleep are refused where nobody may: in 7.2; 6.12 looks at
    /// their bodies only.
    /// </summary>
    internal bool TracksSleepingFunctions { get; init; }

    /// <summary>
    /// Whether a callback that runs later may sleep only if its own kind may (work queues): in 7.2. In 6.12 a
    /// timer's callback may too, if its program may.
    /// </summary>
    internal bool CallbacksSleepAlone { get; init; }

    /// <summary>
    /// Whether a global function's argument is refused that is null where the function wants it not to be, or that
    /// leads into a packet which the function may change: in 7.2. In 6.12 only pointers that may be null are.
    /// </summary>
    internal bool ChecksGlobalArgs { get; init; }

    /// <summary>
    /// Whether a pointer to a kernel type is refused where memory is wanted that is written: in 7.2. 6.12 asks whether
    /// it can be read.
    /// </summary>
    internal bool ChecksBtfWrites { get; init; }

    /// <summary>
    /// Whether of all contexts helpers and kfuncs take only that of system call programs as memory: in 7.2. 6.12 takes
    /// every context that programs see as it is.
    /// </summary>
    internal bool OnlySyscallContextIsMemory { get; init; }

    /// <summary>
    /// Whether a tail call in a function is also followed as a return with anything in R0: in 7.2. For 6.12 no more of
    /// the program runs after it.
    /// </summary>
    internal bool TailCallsEndFunctions { get; init; }

    /// <summary>
    /// Whether members of <c>struct_ops</c> hand references over as arguments (<c>__ref</c>) and take them back as the
    /// value returned: in 7.2.
    /// </summary>
    internal bool StructOpsHandOverReferences { get; init; }

    /// <summary>
    /// Whether RCU sections may lie in each other, and what a spin lock alone kept alive is not trusted once it is
    /// released: in 7.2. 6.12 refuses the one and misses the other.
    /// </summary>
    internal bool NestsRcuSections { get; init; }

    /// <summary>
    /// Whether kptrs may be exchanged under a spin lock, in objects too that a list or tree owns: in 7.2.
    /// </summary>
    internal bool ExchangesInsideGraphs { get; init; }

    /// <summary>
    /// Whether kfuncs that need RCU protection are refused outside such a section: in 7.2. In 6.12 an iterator made
    /// there is refused at its first use.
    /// </summary>
    internal bool RequiresRcuSection { get; init; }

    /// <summary>
    /// Whether programs may load arguments that point to other things than structs, as numbers: in 7.2. In 6.12, only
    /// <c>void *</c> and pointers to integers may be loaded, and <c>const void *</c> may not.
    /// </summary>
    internal bool TakesAnyPointerArg { get; init; }
}
