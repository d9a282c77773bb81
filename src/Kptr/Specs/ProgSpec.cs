using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Specs;

/// <summary>
/// Blueprint of one program: instructions with the subprograms it needs appended, and what they refer to.
/// </summary>
/// <remarks>
/// In a <em>linked</em> program (<see cref="Relocs"/> is empty) references are numbers in the instructions, as the
/// kernel sees them but with indexes for file descriptors:
/// <list type="bullet">
/// <item><c>lddw</c> with <see cref="BpfOp.PseudoMapFd"/>: imm is an index into <see cref="Maps"/>.</item>
/// <item><c>lddw</c> with <see cref="BpfOp.PseudoMapValue"/>: the same, and the second slot's imm
/// is the byte offset.</item>
/// <item><c>lddw</c> with <see cref="BpfOp.PseudoBtfId"/>: imm is a kernel BTF id, the second slot's imm the index of
/// its BTF in <see cref="KernelTypes.All"/>.</item>
/// <item><c>lddw</c> with <see cref="BpfOp.PseudoFunc"/> and calls with <see cref="BpfOp.PseudoCall"/>: imm is
/// relative, in slots.</item>
/// <item>calls with <see cref="BpfOp.PseudoKfuncCall"/>: imm is the function's kernel BTF id, off
/// the index of its BTF.</item>
/// </list>
/// </remarks>
public sealed record ProgSpec(string Name, ProgType Type, ImmutableArray<BpfInsn> Insns)
{
    /// <summary>What runs in a program's place where the kernel itself calls a kfunc.</summary>
    internal static ProgSpec WithoutCode(string name) => new(name, ProgType.Unspec, []);

    /// <summary>The <c>SEC()</c> name without a leading <c>?</c> (see <see cref="Autoload"/>).</summary>
    public string SectionName { get; init; } = "";

    /// <summary>Expected attach type; <see langword="null"/> where the program type has none.</summary>
    public AttachType? ExpectedAttachType { get; init; }

    /// <summary>Whether it is attached to many functions at once, and so has no arguments.</summary>
    internal bool IsForManyFunctions => ExpectedAttachType is AttachType.TraceFentryMulti
        or AttachType.TraceFexitMulti or AttachType.TraceFsessionMulti;

    /// <summary>
    /// What it attaches to (function, tracepoint, <c>struct_ops</c> type and member...), without a prefix; or null.
    /// </summary>
    public string? AttachTarget { get; init; }

    /// <summary>
    /// The place of the attach target in the kernel's types; null until resolved or where there is none.
    /// </summary>
    public BtfRef? AttachBtf { get; init; }

    /// <summary>For <c>struct_ops</c>: which member of the struct the program implements.</summary>
    public int StructOpsMember { get; init; } = -1;

    /// <summary>Whether the program may sleep (<c>BPF_F_SLEEPABLE</c>, <c>.s</c> sections).</summary>
    public bool IsSleepable { get; init; }

    /// <summary>Other load flags (<c>BPF_F_STRICT_ALIGNMENT</c>, <c>BPF_F_XDP_HAS_FRAGS</c>, ...).</summary>
    public uint LoadFlags { get; init; }

    /// <summary>False for <c>SEC("?...")</c>: loaded only when asked for.</summary>
    public bool Autoload { get; init; } = true;

    /// <summary>The object's license; GPL-only helpers and kfuncs ask for it.</summary>
    public string License { get; init; } = "";

    /// <summary>Whether the license lets it use GPL-only things (<c>license_is_gpl_compatible</c>).</summary>
    internal bool IsGplCompatible => License is "GPL" or "GPL v2" or "GPL and additional rights" or "Dual BSD/GPL"
        or "Dual MIT/GPL" or "Dual MPL/GPL";

    /// <summary>The program object's own BTF, or null.</summary>
    public BtfSpec? Btf { get; init; }

    /// <summary>Maps the instructions refer to by index.</summary>
    public ImmutableArray<MapSpec> Maps { get; init; } = [];

    /// <summary>BTF function of each subprogram, by rising instruction index.</summary>
    public ImmutableArray<FuncInfo> FuncInfos { get; init; } = [];

    /// <summary>C source lines, by rising instruction index.</summary>
    public ImmutableArray<LineInfo> LineInfos { get; init; } = [];

    /// <summary>References that still name things; empty once linked.</summary>
    public ImmutableArray<ProgReloc> Relocs { get; init; } = [];

    /// <summary>
    /// Slots whose reference is a bare number without a relocation: a file descriptor of whoever wrote the object.
    /// Linking makes it negative, since it is no index.
    /// </summary>
    public ImmutableArray<int> FdInsns { get; init; } = [];

    /// <summary>CO-RE relocations against the kernel's types; empty once linked.</summary>
    public ImmutableArray<CoReReloc> CoReRelocs { get; init; } = [];

    /// <summary>
    /// Instructions that load the address of a weak symbol of which nobody knows whether the kernel has it: 0 or not.
    /// </summary>
    internal ImmutableArray<int> MaybeAddresses { get; init; } = [];

    /// <summary>Instructions of the program itself, before the first appended subprogram.</summary>
    public int OwnInsnCount { get; init; } = Insns.IsDefault ? 0 : Insns.Length;

    /// <summary>Name, section and size.</summary>
    public override string ToString() =>
        $"program \"{Name}\" ({(SectionName.Length == 0 ? Type.ToString() : SectionName)}, "
        + $"{(Insns.IsDefault ? 0 : Insns.Length)} instructions)";

    /// <summary>Why the program cannot be linked against the kernel at hand; null where it can.</summary>
    public Diagnostic? LinkFault { get; init; }
}

/// <summary>A subprogram starts at <paramref name="InsnIdx"/> and is this BTF function.</summary>
public readonly record struct FuncInfo(int InsnIdx, int TypeId);

/// <summary>From <paramref name="InsnIdx"/> on the code comes from this line.</summary>
/// <param name="InsnIdx">First instruction.</param>
/// <param name="File">Source file as the compiler wrote it.</param>
/// <param name="Text">The source line, or empty.</param>
/// <param name="Line">1-based line.</param>
/// <param name="Column">1-based column.</param>
public readonly record struct LineInfo(int InsnIdx, string File, string Text, int Line, int Column);

/// <summary>What a <see cref="ProgReloc"/> refers to.</summary>
public enum ProgRelocKind
{
    /// <summary>Address of a map.</summary>
    Map,

    /// <summary>Address of a byte in a data-section map's value.</summary>
    MapValue,

    /// <summary>Call of a kernel function.</summary>
    KfuncCall,

    /// <summary>Address of a kernel variable with type (<c>__ksym</c> with a type).</summary>
    TypedKsym,

    /// <summary>Address of a kernel symbol without type.</summary>
    TypelessKsym,
}

/// <summary>An instruction that refers to something by name.</summary>
/// <param name="InsnIdx">The instruction (first slot).</param>
/// <param name="Kind">What is named.</param>
/// <param name="Name">Name of map, kfunc or symbol.</param>
/// <param name="Addend">Byte offset for <see cref="ProgRelocKind.MapValue"/>.</param>
/// <param name="IsWeak">An unresolved weak symbol is address 0, not an error.</param>
/// <param name="LocalTypeId">The extern's type in the program's BTF; 0 where it has none.</param>
public sealed record ProgReloc(
    int InsnIdx, ProgRelocKind Kind, string Name, int Addend = 0, bool IsWeak = false, int LocalTypeId = 0);

/// <summary>One record of <c>.BTF.ext</c>'s CO-RE section.</summary>
/// <param name="InsnIdx">The instruction to patch.</param>
/// <param name="Kind"><c>enum bpf_core_relo_kind</c>.</param>
/// <param name="TypeId">Root type in the program's BTF.</param>
/// <param name="Access">The access string, <c>0:1:2</c>.</param>
public readonly record struct CoReReloc(int InsnIdx, CoReKind Kind, int TypeId, string Access);

/// <summary>Kinds of CO-RE relocation, with the numbers of <c>enum bpf_core_relo_kind</c>.</summary>
public enum CoReKind
{
#pragma warning disable CS1591 // each is the kernel's BPF_CORE_ name in .NET case
    FieldByteOffset,
    FieldByteSize,
    FieldExists,
    FieldSigned,
    FieldLshiftU64,
    FieldRshiftU64,
    TypeIdLocal,
    TypeIdTarget,
    TypeExists,
    TypeSize,
    EnumValExists,
    EnumValValue,
    TypeMatches,
#pragma warning restore CS1591
}
