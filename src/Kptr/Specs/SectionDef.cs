namespace Kptr.Specs;

/// <summary>What a <c>SEC()</c> name asks the loader to do beyond choosing a type.</summary>
[Flags]
internal enum SectionFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The program is loaded as sleepable (<c>BPF_F_SLEEPABLE</c>).</summary>
    Sleepable = 1 << 0,

    /// <summary>The part after the slash names a kernel type to attach to.</summary>
    AttachBtf = 1 << 1,

    /// <summary>The program knows packets in fragments (<c>BPF_F_XDP_HAS_FRAGS</c>).</summary>
    XdpFrags = 1 << 2,

    /// <summary>A user-space static probe: loaded for a uprobe-multi link where the kernel has one.</summary>
    Usdt = 1 << 3,
}

/// <summary>One entry of libbpf's table of <c>SEC()</c> names.</summary>
/// <param name="Pattern">The name; with a <c>+</c> at its end, the name alone or followed by <c>/target</c>.</param>
/// <param name="Type">The program type it stands for.</param>
/// <param name="Attach">Expected attach type, or null where the program is loaded without one.</param>
/// <param name="Flags">Further properties.</param>
internal sealed record SectionDef(
    string Pattern, ProgType Type, AttachType? Attach, SectionFlags Flags = SectionFlags.None)
{
    /// <summary>Whether a section of this name falls under the entry. <c>?</c> must be cut off before.</summary>
    public bool Matches(string section)
    {
        ArgumentNullException.ThrowIfNull(section);
        if (!Pattern.EndsWith('+'))
        {
            return section == Pattern;
        }

        var stem = Pattern.AsSpan(0, Pattern.Length - 1);
        return section.AsSpan().StartsWith(stem, StringComparison.Ordinal)
            && (section.Length == stem.Length || section[stem.Length] == '/');
    }

    /// <summary>
    /// The attach target inside the name (<c>fentry/do_exit</c>: <c>do_exit</c>), or null where it has none.
    /// </summary>
    public string? TargetOf(string section)
    {
        ArgumentNullException.ThrowIfNull(section);
        var slash = section.IndexOf('/', StringComparison.Ordinal);
        return Pattern.EndsWith('+') && slash >= 0 ? section[(slash + 1)..] : null;
    }
}
