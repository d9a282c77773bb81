namespace Kptr.Diagnostics;

/// <summary>
/// Names every fault Kptr reports, once and for ever: a number is never given to another fault.
/// </summary>
/// <remarks>
/// Ranges: 1000 files and ELF, 1500 BTF, 2000 instruction encoding, 2500 relocation and CO-RE, 3000 maps and special
/// fields, 4000 program structure, 5000 references and kptrs, 6000 memory and registers, 7000 calls, 7900 what Linux
/// accepts and only a strict verification refuses, 8000 run time, 9000 what Kptr does not model. A name says what is
/// wrong and never how grave it is.
/// </remarks>
public enum DiagCode
{
    /// <summary>No fault.</summary>
    None = 0,

    // 1000: files and ELF

    /// <summary>The file does not exist or cannot be read.</summary>
    FileUnreadable = 1000,

    /// <summary>The file is no ELF64 object for BPF.</summary>
    ElfNotBpfObject = 1001,

    /// <summary>A header, section or table reaches past the end of the file.</summary>
    ElfTruncated = 1002,

    /// <summary>A header or table has a value that ELF does not allow.</summary>
    ElfMalformed = 1003,

    /// <summary>The object has no symbol table.</summary>
    ElfNoSymbols = 1004,

    /// <summary>
    /// The object uses something libbpf does not support (any more): a legacy <c>maps</c> section, static programs.
    /// </summary>
    ElfUnsupported = 1005,

    /// <summary>A function symbol does not cover whole instructions inside its section.</summary>
    ElfBadProgSymbol = 1006,

    /// <summary>The object needs BTF and has none.</summary>
    ElfBtfMissing = 1007,

    /// <summary>An <c>extern</c> has no BTF, an unknown section or an unsupported type.</summary>
    ElfBadExtern = 1008,

    /// <summary>A map definition in <c>.maps</c> is not well-formed.</summary>
    ElfBadMapDef = 1009,

    /// <summary>A <c>.struct_ops</c> variable is not well-formed.</summary>
    ElfBadStructOps = 1010,

    /// <summary>Programs and the subprograms appended to them exceed what Kptr is willing to build.</summary>
    ElfTooLarge = 1011,

    // 1500: BTF

    /// <summary>The BTF header is not one.</summary>
    BtfBadHeader = 1500,

    /// <summary>A BTF section, type or string reaches past the end of its data.</summary>
    BtfTruncated = 1501,

    /// <summary>A BTF type has a kind, size or reference that is not allowed.</summary>
    BtfMalformed = 1502,

    /// <summary>A C declaration that cannot be read.</summary>
    CDeclSyntax = 1510,

    /// <summary>A C declaration uses a name that was not declared.</summary>
    CDeclUnknownName = 1511,

    /// <summary>A C declaration needs the size of a type that has none, or is too large.</summary>
    CDeclBadType = 1512,

    /// <summary>A name is declared again as something else.</summary>
    CDeclRedefined = 1513,

    // 2000: instruction encoding

    /// <summary>An opcode that BPF does not define.</summary>
    InsnUnknownOpcode = 2000,

    /// <summary>Reserved fields of an instruction are not zero, or a register does not exist.</summary>
    InsnReservedField = 2001,

    /// <summary>The code ends inside an instruction.</summary>
    InsnTruncated = 2002,

    /// <summary>A jump or call leads out of the program or into the middle of an instruction.</summary>
    InsnBadTarget = 2003,

    /// <summary>A line of assembler text that cannot be read.</summary>
    AsmSyntax = 2010,

    /// <summary>A number in assembler text does not fit its field.</summary>
    AsmRange = 2011,

    /// <summary>A label that is missing or there twice.</summary>
    AsmLabel = 2012,

    // 2500: relocation and CO-RE

    /// <summary>A relocation is at no instruction, or at one that cannot be relocated.</summary>
    RelocBadPlace = 2500,

    /// <summary>A relocation's symbol names nothing that can be referred to from there.</summary>
    RelocBadTarget = 2501,

    /// <summary>A call or function address leads to no subprogram in <c>.text</c>.</summary>
    RelocNoSubprog = 2502,

    /// <summary>A CO-RE relocation's type, access string or instruction is not well-formed.</summary>
    CoReMalformed = 2503,

    /// <summary>A CO-RE relocation has several answers that differ.</summary>
    CoReAmbiguous = 2504,

    /// <summary>The kernel has no such symbol.</summary>
    KsymNotFound = 2505,

    /// <summary>The kernel's symbol has another type than the object believes.</summary>
    KsymIncompatible = 2506,

    /// <summary>A kconfig value is unknown or does not fit its variable.</summary>
    KconfigUnresolved = 2507,

    /// <summary>The kernel has no such attach target.</summary>
    AttachTargetNotFound = 2508,

    /// <summary>The kernel has no such <c>struct_ops</c> type, or another layout of it.</summary>
    StructOpsMismatch = 2509,

    // 8000: the machine that runs programs

    /// <summary>A memory access outside everything the run may touch.</summary>
    RunBadAccess = 8000,

    /// <summary>An access to memory that was freed.</summary>
    RunUseAfterFree = 8001,

    /// <summary>The fuel budget is spent.</summary>
    RunOutOfFuel = 8002,

    /// <summary>Calls nested too deep.</summary>
    RunCallTooDeep = 8003,

    /// <summary>Control reached a slot that is no legal instruction.</summary>
    RunBadInsn = 8004,

    /// <summary>Control left the program.</summary>
    RunBadTarget = 8005,

    /// <summary>A call of something that is not there.</summary>
    RunNoSuchCall = 8006,

    /// <summary>The caller asked the run to end.</summary>
    RunCancelled = 8007,

    /// <summary>A helper or kfunc failed with an exception of its own.</summary>
    RunCallFailed = 8008,

    /// <summary>The section's name says no program type, and nobody else said one.</summary>
    ProgTypeUnknown = 2510,

    // 3000: maps and special fields

    /// <summary>The kernel refuses to create a map.</summary>
    MapRefused = 3000,
    // 4000: program structure

    /// <summary>No path leads to an instruction.</summary>
    UnreachableInsn = 4000,

    /// <summary>An unprivileged program has a loop.</summary>
    BackEdge = 4001,

    /// <summary>A jump leaves its function or lands inside a 64-bit immediate.</summary>
    JumpOutOfRange = 4002,

    /// <summary>A call target is no function, or a function does not end in an exit or jump.</summary>
    SubprogInvalid = 4003,

    /// <summary>More call frames than the kernel has.</summary>
    CallDepthExceeded = 4004,

    /// <summary>The stack of a chain of calls is deeper than 512 bytes.</summary>
    StackDepthExceeded = 4005,

    /// <summary>The search reached one of the kernel's limits before every path was explored.</summary>
    ComplexityExceeded = 4006,

    /// <summary>A loop comes back to the same state.</summary>
    InfiniteLoop = 4007,

    /// <summary>The program's BTF function or line records do not fit it.</summary>
    BtfInfoInvalid = 4008,

    /// <summary>The program cannot attach to what it names, or cannot be of its type.</summary>
    AttachTargetInvalid = 4009,

    /// <summary>A map cannot be used by this program, or not so.</summary>
    MapIncompatible = 4010,

    /// <summary>The exception callback is not one.</summary>
    ExceptionCallbackInvalid = 4011,

    /// <summary>Only privileged programs may do this.</summary>
    PrivilegeMissing = 4012,

    /// <summary>Only programs with a GPL-compatible license may do this.</summary>
    LicenseMissing = 4013,

    /// <summary>A callback is not a static function of the program.</summary>
    CallbackInvalid = 4014,

    // 5000: references and kptrs

    /// <summary>A path ends while it still owns a reference.</summary>
    UnreleasedRef = 5000,

    /// <summary>A kptr field is accessed other than by one aligned 8-byte load or store.</summary>
    KptrAccessInvalid = 5001,

    /// <summary>A plain store over a referenced kptr, which only an exchange may replace.</summary>
    KptrStore = 5002,

    /// <summary>A pointer of another type, or of too little trust, is put into a kptr field.</summary>
    KptrTypeMismatch = 5003,

    /// <summary>A lock, timer, list or tree node is read or written as bytes.</summary>
    SpecialFieldAccess = 5004,

    /// <summary>A lock, RCU or preemption section is still open at the end.</summary>
    SectionUnbalanced = 5005,

    /// <summary>A reference is released that this place does not own.</summary>
    ReleaseUnowned = 5006,

    /// <summary>A dynptr is used in a way its state does not allow.</summary>
    DynptrInvalid = 5007,

    /// <summary>An open-coded iterator is used in a way its state does not allow.</summary>
    IterInvalid = 5008,

    /// <summary>A pointer is passed where only trusted or RCU-protected ones may be.</summary>
    UntrustedArg = 5009,

    /// <summary>A spin lock is taken, given back or missing where it must not be.</summary>
    LockMisuse = 5010,

    /// <summary>A list or tree is used with the wrong node or root.</summary>
    GraphMisuse = 5011,

    /// <summary>A pointer is used, or released again, after its reference was given back.</summary>
    UsedAfterRelease = 5012,

    /// <summary>Saved interrupt flags are used in a way their state does not allow.</summary>
    IrqFlagInvalid = 5013,

    // 6000: memory and registers

    /// <summary>A register is read that nothing was written to.</summary>
    RegUninitialized = 6000,

    /// <summary>R10 is written.</summary>
    FramePointerWrite = 6001,

    /// <summary>A pointer that may be null is used without a check.</summary>
    NullDereference = 6002,

    /// <summary>An access outside of what a pointer points to, or through no pointer.</summary>
    MemAccessInvalid = 6003,

    /// <summary>The program's context has no such field for this program type.</summary>
    CtxAccessInvalid = 6004,

    /// <summary>A pointer with an offset where it must be as it was given.</summary>
    PtrModified = 6005,

    /// <summary>A packet byte that no comparison with the packet's end covers.</summary>
    PacketAccessInvalid = 6006,

    /// <summary>A kernel struct has no such field, or not at this offset or size.</summary>
    BtfAccessInvalid = 6007,

    /// <summary>A stack access out of bounds, to uninitialised bytes, or over a register's half.</summary>
    StackAccessInvalid = 6008,

    /// <summary>A write to memory that is read-only to the program.</summary>
    ReadOnlyWrite = 6009,

    /// <summary>An access that is not aligned.</summary>
    Misaligned = 6010,

    /// <summary>A pointer's value would leave the program.</summary>
    PtrLeak = 6011,

    /// <summary>Arithmetic that this kind of pointer does not allow.</summary>
    PtrArithmetic = 6012,

    /// <summary>One instruction accesses different kinds of pointer on different paths.</summary>
    MixedPointers = 6013,

    /// <summary>The value returned is not one that the kernel accepts here.</summary>
    ReturnValueInvalid = 6014,

    /// <summary>What is known of a register contradicts itself, and the loader asked for a refusal then.</summary>
    RangeContradiction = 6015,

    // 7000: calls

    /// <summary>The call is not allowed in this section, callback or program type.</summary>
    CallNotAllowedHere = 7000,

    /// <summary>An argument is not what the function takes.</summary>
    CallArgInvalid = 7001,

    /// <summary>No helper has this number.</summary>
    HelperUnknown = 7002,

    /// <summary>Programs of this type, or at this place, may not call the helper.</summary>
    HelperNotAllowed = 7003,

    /// <summary>Something that may sleep is called where sleeping is not allowed.</summary>
    SleepNotAllowed = 7004,

    /// <summary>An argument of a call has the wrong type.</summary>
    CallArgType = 7005,

    /// <summary>The kernel has no such kfunc.</summary>
    KfuncUnknown = 7006,

    /// <summary>Programs of this type may not call the kfunc.</summary>
    KfuncNotAllowed = 7007,

    // 7900: what Linux accepts although it may go wrong

    /// <summary>An iterator is passed at the frame pointer itself, outside the stack, and the slot below is
    /// checked for it.</summary>
    StrictIterPlace = 7900,

    /// <summary>A callback of <c>bpf_loop</c> is taken to be safe for more rounds than were looked at.</summary>
    StrictLoopRounds = 7901,

    /// <summary>The exception callback stands behind a function that is removed as dead code, and the kernel then takes
    /// another function, or none, for it.</summary>
    StrictExceptionCallback = 7902,

    /// <summary>A work queue is initialised with another map, one that has no work queue.</summary>
    StrictWorkqueueMap = 7903,

    // 8100: references and deferred work of the modelled kernel

    /// <summary>An object was released more often than it was acquired.</summary>
    RefCountUnderflow = 8100,

    /// <summary>A reference count passed its maximum or was already faulty; its object leaks.</summary>
    RefCountSaturated = 8101,

    /// <summary>A reference or its object was used after the object was freed.</summary>
    RefUseAfterFree = 8102,

    /// <summary>The same owned reference was released a second time.</summary>
    RefReleasedTwice = 8103,

    /// <summary>An owned reference was used after it had been moved or released.</summary>
    RefUsedAfterMove = 8104,

    /// <summary>An owned reference was lost without a release.</summary>
    RefDropped = 8105,

    /// <summary>A scope or program run ended with a reference that it took.</summary>
    UnreleasedRefInScope = 8106,

    /// <summary>An object was freed twice.</summary>
    ObjectDoubleFree = 8107,

    /// <summary>Something waits for a grace period inside a reader that holds it up.</summary>
    WaitInsideReader = 8108,

    /// <summary>Something that may sleep runs where sleeping is forbidden.</summary>
    SleepInAtomic = 8109,

    /// <summary>An unlock without its lock.</summary>
    UnbalancedUnlock = 8110,

    /// <summary>A thread takes a spin lock that it holds already.</summary>
    LockRecursion = 8111,

    /// <summary>A list or tree is not what its nodes say it is.</summary>
    GraphCorrupt = 8112,

    /// <summary>
    /// A map takes a slot back whose value still owns a reference, though the policy destroys what deleted values own.
    /// </summary>
    SlotStillOwns = 8115,

    /// <summary>A kptr was looked at without a reference, outside an RCU reader.</summary>
    PeekOutsideRcu = 8120,

    /// <summary>A value with a kptr was copied: the copy, or what it was copied over, owns nothing.</summary>
    KptrCopied = 8121,

    /// <summary>
    /// A <c>ref</c> to a map value was taken outside an RCU reader, from a map that can delete the value.
    /// </summary>
    ValueOutsideRcu = 8122,

    // 8200: calls that a running program makes

    /// <summary>A kfunc or helper was given memory that is not the program's to touch.</summary>
    CallBadMemory = 8200,

    /// <summary>A kfunc or helper was given an address that is no live object of the kind it takes.</summary>
    CallBadObject = 8201,

    /// <summary>The program called a kfunc or helper that the model has no body for.</summary>
    CallNotModelled = 8202,

    /// <summary>A kfunc or helper was called in a way that only a program without a verdict can.</summary>
    CallMisuse = 8203,

    // 9000: what Kptr does not model

    /// <summary>A program type whose rules are not modelled.</summary>
    UnsupportedProgType = 9001,

    /// <summary>A kernel type the model's BTF does not have.</summary>
    UnsupportedKernelType = 9002,

    /// <summary>A map type that Kptr does not model.</summary>
    UnsupportedMapType = 9010,

    /// <summary>A map value has a kind of field that Kptr does not model.</summary>
    UnsupportedMapField = 9011,
}
