using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Specs;

/// <summary>Blueprint of one object file: its programs and maps. Immutable; nothing in it is live.</summary>
public sealed record ObjectSpec(string Name)
{
    /// <summary>The license string, empty where there is none.</summary>
    public string License { get; init; } = "";

    /// <summary>Entry programs, in file order.</summary>
    public ImmutableArray<ProgSpec> Progs { get; init; } = [];

    /// <summary>
    /// Maps in libbpf's order: BTF-defined ones, data sections, <c>.kconfig</c>, then <c>struct_ops</c>.
    /// </summary>
    public ImmutableArray<MapSpec> Maps { get; init; } = [];

    /// <summary>The object's BTF; of a linked object what the kernel got, which is null where it refused it.</summary>
    public BtfSpec? Btf { get; init; }

    /// <summary>
    /// Why the BTF cannot be read, or, of a linked object, why the kernel refuses it; else null. libbpf then goes on
    /// without BTF where it can, and programs are judged as if their functions and maps had no types.
    /// </summary>
    public Diagnostic? BtfFault { get; init; }

    /// <summary>Name, and what it has.</summary>
    public override string ToString() => $"object \"{Name}\" ({Progs.Length} programs, {Maps.Length} maps)";

    /// <summary>Everything the object expects of the kernel by name.</summary>
    public ImmutableArray<ExternSpec> Externs { get; init; } = [];
}
