using System.Collections.Immutable;

namespace Kptr.Specs;

/// <summary>What one argument of a helper must be.</summary>
/// <param name="Kind">Kind and modifiers.</param>
/// <param name="Btf">Of <see cref="ArgKind.BtfId"/>: the kernel struct; null where the call decides
/// (<c>bpf_kptr_xchg</c>).</param>
/// <param name="SizeBytes">Of <see cref="ArgKind.FixedSize"/> memory: its size.</param>
internal readonly record struct HelperArg(ArgKind Kind, string? Btf = null, int SizeBytes = 0)
{
    /// <summary>The kind without modifiers.</summary>
    public ArgKind Base => Kind & ArgKind.BaseMask;

    /// <summary>Whether the kind has any of these modifiers.</summary>
    public bool Has(ArgKind flags) => (Kind & flags) != 0;
}

/// <summary>
/// Blueprint of a helper: the prototype calls are checked against. Kernel: <c>struct bpf_func_proto</c>.
/// </summary>
/// <param name="Id">The helper.</param>
/// <param name="Name">The kernel's name, <c>bpf_map_lookup_elem</c>.</param>
/// <param name="Variant">Which of a helper's prototypes this is (<c>trace</c>, <c>sk</c>...), empty
/// for the common one.</param>
/// <param name="Args">Its arguments, at most five.</param>
/// <param name="Ret">What it returns.</param>
internal sealed record HelperSpec(HelperId Id, string Name, string Variant, ImmutableArray<HelperArg> Args, RetKind Ret)
{
    /// <summary>Struct returned, for <see cref="RetKind.BtfId"/>; null where the call decides.</summary>
    public string? RetBtf { get; init; }

    /// <summary>Only programs with a GPL-compatible license may call it.</summary>
    public bool GplOnly { get; init; }

    /// <summary>It may sleep: only sleepable programs may call it, outside RCU, preempt and lock sections.</summary>
    public bool MightSleep { get; init; }

    /// <summary>Packet pointers may be passed where it takes memory.</summary>
    public bool PktAccess { get; init; }

    /// <summary>It keeps the caller-saved registers it does not use (<c>allow_fastcall</c>).</summary>
    public bool Fastcall { get; init; }

    /// <summary>Argument <paramref name="index"/>; <see cref="ArgKind.None"/> past the last.</summary>
    public HelperArg Arg(int index) => index < Args.Length ? Args[index] : default;
}
