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
}
