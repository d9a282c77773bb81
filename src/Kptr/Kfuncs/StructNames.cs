using System.Collections.Frozen;

namespace Kptr.Kfuncs;

/// <summary>The structs of a real kernel (Linux 6.12, Debian's cloud configuration), by name.</summary>
/// <remarks>
/// The built-in types describe few of them. Where a program's own struct has the name of one of the others, a kernel
/// takes a pointer to it in a map for a pointer to its own, which nobody may allocate.
/// </remarks>
internal static class StructNames
{
    private static readonly Lazy<FrozenSet<string>> s_all = new(
        () => EmbeddedText.ReadNames("structs-6.12.txt.gz"));

    /// <summary>Whether a real kernel has a struct of this name.</summary>
    public static bool Contains(string name) => s_all.Value.Contains(name);
}
