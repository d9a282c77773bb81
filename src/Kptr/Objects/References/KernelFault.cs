using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>A run-time fault that the modelled kernel noticed. It is always reported, never silent.</summary>
/// <param name="Code">What happened.</param>
/// <param name="Message">One sentence.</param>
public sealed record KernelFault(DiagCode Code, string Message)
{
    /// <summary>The object it is about, as text, or null.</summary>
    public string? Object { get; init; }

    /// <summary>Where it happened.</summary>
    public RefSite Site { get; init; } = RefSite.Unknown;

    /// <summary>The earlier place it conflicts with: where the reference was released or taken before.</summary>
    public RefSite EarlierSite { get; init; } = RefSite.Unknown;

    /// <summary>The sentence with both places.</summary>
    public override string ToString()
    {
        var at = Site.IsKnown ? $", at {Site}" : "";
        var earlier = EarlierSite.IsKnown ? $", earlier at {EarlierSite}" : "";
        return $"{(Object is null ? "" : Object + ": ")}{Message}{at}{earlier} ({Code})";
    }
}
