using System.Collections.Immutable;

namespace Kptr.Specs;

/// <summary>
/// A map type of a user's own, as programs and the verifier see it: a kernel's type with less allowed.
/// </summary>
/// <remarks>
/// A program declares it by its number, <c>__uint(type, 1000)</c>. The verifier judges such maps as it judges
/// <see cref="Like"/>, and refuses besides what is not listed here. Nothing that it refuses of that type is accepted.
/// </remarks>
public sealed record MapTypeSpec
{
    /// <summary>The lowest number of a type of one's own; the kernel's numbers stay far below.</summary>
    public const uint NumberMin = 1000;

    private static readonly ImmutableArray<BpfMapType> s_models =
    [
        BpfMapType.Hash, BpfMapType.LruHash, BpfMapType.PercpuHash, BpfMapType.LruPercpuHash, BpfMapType.LpmTrie,
        BpfMapType.Queue, BpfMapType.Stack, BpfMapType.BloomFilter,
    ];

    /// <summary>Describes a map type.</summary>
    /// <param name="number">What programs write as the map's type; at least <see cref="NumberMin"/>.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <param name="like">The kernel's type whose rules it obeys: a hash of any kind, a trie, a queue, a stack or
    /// a bloom filter.</param>
    /// <exception cref="ArgumentOutOfRangeException">The number is too low, or the kernel's type is none of these:
    /// what programs may do with the others depends on more than their operations.</exception>
    public MapTypeSpec(uint number, string name, BpfMapType like)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, NumberMin);
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (!s_models.Contains(like))
        {
            throw new ArgumentOutOfRangeException(
                nameof(like), like, $"a map type of one's own is like one of {string.Join(", ", s_models)}");
        }

        Number = number;
        Name = name;
        Like = like;
        Helpers = like switch
        {
            BpfMapType.Queue or BpfMapType.Stack =>
                [HelperId.MapPushElem, HelperId.MapPopElem, HelperId.MapPeekElem],
            BpfMapType.BloomFilter => [HelperId.MapPushElem, HelperId.MapPeekElem],
            _ => [HelperId.MapLookupElem, HelperId.MapUpdateElem, HelperId.MapDeleteElem],
        };
    }

    /// <summary>What programs write as the map's type.</summary>
    public uint Number { get; }

    /// <summary>Its name, for messages.</summary>
    public string Name { get; }

    /// <summary>The kernel's type whose rules it obeys.</summary>
    public BpfMapType Like { get; }

    /// <summary>
    /// The helpers that programs may pass such a map to. The default is look-up, update and delete; push, pop and peek
    /// where it is like a queue or stack; push and peek where it is like a bloom filter. What works on a field of a
    /// value (<c>bpf_kptr_xchg</c>, timers) is always allowed.
    /// </summary>
    public ImmutableHashSet<HelperId> Helpers { get; init; }

    /// <summary>The program types that may use it; empty for all.</summary>
    public ImmutableHashSet<ProgType> ProgTypes { get; init; } = [];

    /// <summary>Whether programs that can sleep may use it, if they may use <see cref="Like"/>.</summary>
    public bool AllowsSleepable { get; init; }

    /// <summary>Name, number and model.</summary>
    public override string ToString() => $"map type {Name} ({Number}, like {Like})";
}
