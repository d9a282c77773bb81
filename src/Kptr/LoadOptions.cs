using Kptr.Maps;
using Kptr.Specs;

namespace Kptr;

/// <summary>Makes a map from the blueprint that an object has of it.</summary>
/// <param name="kernel">The kernel it is for.</param>
/// <param name="spec">The blueprint, its special fields resolved against the kernel's types.</param>
/// <returns>A new map of these sizes, flags and fields, which the object owns from then on.</returns>
public delegate BpfMap MapMaker(KernelModel kernel, MapSpec spec);

/// <summary>A map type of a user's own: what programs may do with it, and how its maps are made.</summary>
/// <param name="Spec">What the verifier asks.</param>
/// <param name="Make">Makes a map whenever an object that declares one is loaded.</param>
public sealed record MapType(MapTypeSpec Spec, MapMaker Make)
{
    /// <summary>What the verifier asks.</summary>
    public MapTypeSpec Spec { get; init; } = Spec ?? throw new ArgumentNullException(nameof(Spec));

    /// <summary>Makes a map whenever an object that declares one is loaded.</summary>
    public MapMaker Make { get; init; } = Make ?? throw new ArgumentNullException(nameof(Make));

    /// <summary>The type.</summary>
    public override string ToString() => Spec.ToString();
}

/// <summary>What of an object is loaded, and which of its maps are the user's.</summary>
/// <remarks>
/// A map of the user's stands in for one of the object: programs are verified for the type that the object declares,
/// and use the user's. It must have the declared type (as its own or as what it is like), sizes, flags and special
/// fields; data sections (<c>.data</c>, <c>.rodata</c>) and maps that the object fills have no stand-in.
/// </remarks>
public sealed record LoadOptions
{
    /// <summary>Which programs to load; null for those not marked <c>SEC("?...")</c>.</summary>
    public Func<ProgSpec, bool>? Autoload { get; init; }

    /// <summary>By name in the object: maps that there are already; they stay the user's
    /// (<c>bpf_map__reuse_fd</c>).</summary>
    public IReadOnlyDictionary<string, BpfMap> Reuse
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Reuse));
    } = new Dictionary<string, BpfMap>();

    /// <summary>By name in the object: how its map is made. The object disposes of it.</summary>
    public IReadOnlyDictionary<string, MapMaker> Make
    {
        get;
        init => field = value ?? throw new ArgumentNullException(nameof(Make));
    } = new Dictionary<string, MapMaker>();

    /// <summary>Which maps are the user's.</summary>
    public override string ToString() =>
        $"{(Autoload is null ? "usual" : "chosen")} programs, maps of the user: "
            + (Reuse.Count + Make.Count == 0 ? "none" : string.Join(", ", Reuse.Keys.Concat(Make.Keys)));
}
