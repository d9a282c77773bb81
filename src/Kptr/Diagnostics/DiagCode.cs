namespace Kptr.Diagnostics;

/// <summary>
/// Names every fault Kptr reports, once and for ever: a number is never given to another fault.
/// </summary>
/// <remarks>
/// Ranges: 1000 files and ELF, 1500 BTF, 2000 instruction encoding, 2500 relocation and CO-RE, 3000 maps and special
/// fields, 4000 program structure, 5000 references and kptrs, 6000 memory and registers, 7000 calls, 8000 run time,
/// 9000 what Kptr does not model. A name says what is wrong and never how grave it is.
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

    /// <summary>The object uses something libbpf does not support (any more): a legacy <c>maps</c> section, static programs.</summary>
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

    // 3000: maps and special fields

    /// <summary>The kernel refuses to create a map.</summary>
    MapRefused = 3000,

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

    /// <summary>A map type that Kptr does not model.</summary>
    UnsupportedMapType = 9010,

    /// <summary>A thread takes a spin lock that it holds already.</summary>
    LockRecursion = 8111,

    /// <summary>A list or tree is not what its nodes say it is.</summary>
    GraphCorrupt = 8112,
}
