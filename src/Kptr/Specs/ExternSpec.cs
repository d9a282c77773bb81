namespace Kptr.Specs;

/// <summary>What kind of thing an <c>extern</c> of an object file names.</summary>
public enum ExternKind
{
    /// <summary>A value of the kernel's configuration, a variable of the <c>.kconfig</c> map.</summary>
    Kconfig,

    /// <summary>A kernel function (kfunc).</summary>
    KsymFunc,

    /// <summary>A kernel variable of a known type.</summary>
    KsymVar,

    /// <summary>A kernel symbol of which only the address is asked.</summary>
    KsymTypeless,
}

/// <summary>
/// One <c>extern</c> of an object file, in libbpf's order: kconfig values by alignment, then kernel symbols by name.
/// </summary>
/// <param name="Name">The name as declared, flavour suffix (<c>___x</c>) included.</param>
/// <param name="Kind">What it names.</param>
/// <param name="IsWeak">Declared <c>__weak</c>: it may be missing.</param>
/// <param name="LocalTypeId">Its type in the object's BTF, below typedefs; the prototype of
/// functions; 0 for typeless.</param>
public sealed record ExternSpec(string Name, ExternKind Kind, bool IsWeak, int LocalTypeId)
{
    /// <summary>Of kconfig values: how the value is written into the map.</summary>
    public KconfigSlot? Kconfig { get; init; }
}

/// <summary>How a kconfig value is stored.</summary>
public enum KconfigType
{
    /// <summary>One character.</summary>
    Char,

    /// <summary><c>bool</c>: <c>y</c> or <c>n</c>.</summary>
    Bool,

    /// <summary>An integer.</summary>
    Int,

    /// <summary><c>enum libbpf_tristate</c>: <c>n</c>, <c>y</c>, <c>m</c>.</summary>
    Tristate,

    /// <summary>A string in a <c>char</c> array.</summary>
    CharArray,
}

/// <summary>Place of a kconfig value in the <c>.kconfig</c> map.</summary>
public sealed record KconfigSlot(KconfigType Type, int OffsetBytes, int SizeBytes, bool IsSigned);
