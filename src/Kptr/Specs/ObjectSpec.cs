using System.Collections.Immutable;
using Kptr.Btf;

namespace Kptr.Specs;

/// <summary>Blueprint of one object file: its programs and maps. Immutable; nothing in it is live.</summary>
public sealed record ObjectSpec(string Name)
{
    /// <summary>The license string, empty where there is none.</summary>
    public string License { get; init; } = "";

    /// <summary>Entry programs, in file order.</summary>
    public ImmutableArray<ProgSpec> Progs { get; init; } = [];

    /// <summary>Maps in libbpf's order: BTF-defined ones, data sections, <c>.kconfig</c>, then <c>struct_ops</c>.</summary>
    public ImmutableArray<MapSpec> Maps { get; init; } = [];

    /// <summary>The object's BTF, or null.</summary>
    public BtfSpec? Btf { get; init; }

    /// <summary>Everything the object expects of the kernel by name.</summary>
    public ImmutableArray<ExternSpec> Externs { get; init; } = [];
}
