using System.Collections.Frozen;
using System.IO.Compression;
using Kptr.Diagnostics;

namespace Kptr.Kfuncs;

/// <summary>The text files in <c>Builtin/</c>, which are embedded in the assembly under their bare names.</summary>
internal static class EmbeddedText
{
    internal static string Read(string name)
    {
        using var reader = new StreamReader(Open(name));
        return reader.ReadToEnd();
    }

    /// <summary>Reads a gzipped file with a name on each line.</summary>
    internal static FrozenSet<string> ReadNames(string name)
    {
        using var reader = new StreamReader(new GZipStream(Open(name), CompressionMode.Decompress));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(
            StringComparer.Ordinal);
    }

    private static Stream Open(string name)
    {
        var stream = typeof(EmbeddedText).Assembly.GetManifestResourceStream(name);
        Invariant.That(stream is not null, $"{name} is not embedded");
        return stream;
    }
}
