using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>
/// How long names may be that the kernel keeps: reports repeat them once a reference, so what has no end has no place.
/// </summary>
internal static class NameLimits
{
    /// <summary>Characters of a path (<c>PATH_MAX</c> with its last byte, the zero).</summary>
    internal const int PathMax = 4095;

    /// <summary>Characters of a file's name (<c>NAME_MAX</c>).</summary>
    internal const int FileMax = 255;

    /// <summary>Characters of a map's, program's or function's name (<c>KSYM_NAME_LEN</c> with its zero).</summary>
    internal const int SymbolMax = 511;

    /// <summary>The name, if it is one.</summary>
    /// <exception cref="ArgumentException">It is longer than it may be.</exception>
    internal static string Check(
        string name, int max, [CallerArgumentExpression(nameof(name))] string? parameter = null)
    {
        ArgumentNullException.ThrowIfNull(name, parameter);
        return name.Length <= max ? name
            : throw new ArgumentException($"{name.Length} characters are too many: {max} at most", parameter);
    }

    /// <summary>As much of a text as there is room for: of what tells where, and refuses nobody.</summary>
    internal static string? Cut(string? text, int max) => text?.Length > max ? text[..max] : text;
}
