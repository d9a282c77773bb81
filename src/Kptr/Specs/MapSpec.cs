using System.Collections.Immutable;
using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>Blueprint of a map: everything its creation needs and the verifier asks of it.</summary>
public sealed record MapSpec(string Name, BpfMapType Type)
{
    /// <summary>
    /// The user's own type that the object names by its number, where the kernel it is linked to has one; then
    /// <see cref="Type"/> is the type that it is like. Else null.
    /// </summary>
    public MapTypeSpec? OwnType { get; init; }

    /// <summary>Key size in bytes.</summary>
    public int KeySize { get; init; }

    /// <summary>Value size in bytes, not rounded up.</summary>
    public int ValueSize { get; init; }

    /// <summary>Capacity, in the unit of the map type (elements; bytes for ring buffers; pages for arenas).</summary>
    public uint MaxEntries { get; init; }

    /// <summary>Creation flags.</summary>
    public MapFlags Flags { get; init; }

    /// <summary><c>map_extra</c>: the bloom filter's hash count, the arena's user address.</summary>
    public ulong MapExtra { get; init; }

    /// <summary>The BTF that <see cref="KeyTypeId"/> and <see cref="ValueTypeId"/> are ids of, or null.</summary>
    public BtfSpec? Btf { get; init; }

    /// <summary>BTF type of the key; 0 where unknown.</summary>
    public int KeyTypeId { get; init; }

    /// <summary>BTF type of the value; 0 where unknown.</summary>
    public int ValueTypeId { get; init; }

    /// <summary>Special fields of the value; empty until resolved against a kernel's types.</summary>
    public BtfRecord Record { get; init; } = BtfRecord.Empty;

    /// <summary>Of maps of maps: the blueprint every inner map must equal.</summary>
    public MapSpec? InnerMap { get; init; }

    /// <summary>Initial content of data-section maps (<c>.data</c>, <c>.rodata</c>...); default where zero.</summary>
    public ImmutableArray<byte> InitialValue { get; init; }

    /// <summary>
    /// Whether user space freezes the map after filling it (<c>.rodata</c>), so the verifier may read it as constant.
    /// </summary>
    public bool Frozen { get; init; }

    /// <summary>The flags that the kernel's map has: programs only read values of some types.</summary>
    internal MapFlags FlagsInKernel => Type is BpfMapType.Devmap or BpfMapType.DevmapHash or BpfMapType.InsnArray
        ? Flags | MapFlags.RdOnlyProg : Flags;

    /// <summary>Initial entries of maps of maps and program arrays: key to name of map or program.</summary>
    public ImmutableArray<(int Key, string Target)> InitialSlots { get; init; } = [];

    /// <summary>Whether the map asks to be pinned by name (<c>LIBBPF_PIN_BY_NAME</c>).</summary>
    public bool PinByName { get; init; }

    /// <summary>False for <c>SEC("?.struct_ops")</c>: created only when asked for.</summary>
    public bool Autocreate { get; init; } = true;

    /// <summary>Name, type and sizes.</summary>
    public override string ToString() => $"map \"{Name}\" ({Type}, key {KeySize}, value {ValueSize}, max {MaxEntries})";

    /// <summary>
    /// Of <see cref="BpfMapType.StructOps"/>: what the struct is and which programs it holds; else null.
    /// </summary>
    public StructOpsSpec? StructOps { get; init; }

    /// <summary>The map as a kernel knows it that was not told the types of its key and value.</summary>
    internal MapSpec WithoutTypes() =>
        this with { Btf = null, KeyTypeId = 0, ValueTypeId = 0, Record = BtfRecord.Empty };
}

/// <summary>A <c>struct_ops</c> variable: a kernel struct of function pointers filled with programs.</summary>
/// <param name="TypeName">Name of the struct, as the object has it (flavour included).</param>
/// <param name="Slots">Member name to program name, in the order of the members.</param>
public sealed record StructOpsSpec(string TypeName, ImmutableArray<(string Member, string Prog)> Slots)
{
    /// <summary>The struct, and how many members.</summary>
    public override string ToString() => $"struct_ops {TypeName} ({(Slots.IsDefault ? 0 : Slots.Length)} members)";

    /// <summary>The struct in the kernel's types; null until resolved.</summary>
    public BtfRef? KernelType { get; init; }
}
