using System.Collections.Frozen;
using System.IO.Compression;
using Kptr.Diagnostics;

namespace Kptr.Kfuncs;

/// <summary>
/// The tracepoints of a real kernel (Linux 6.12, Debian's cloud configuration, x86-64) and its system calls' (
/// <c>sys_enter_openat</c>), by name.
/// </summary>
/// <remarks>The built-in types describe few of them; programs for all of them can be attached.</remarks>
internal static class TracepointNames
{
    private const string Resource = "tracepoints-6.12.txt.gz";
    private static readonly Lazy<FrozenSet<string>> s_all = new(Read);

    internal static FrozenSet<string> All => s_all.Value;

    private static FrozenSet<string> Read()
    {
        using var packed = typeof(TracepointNames).Assembly.GetManifestResourceStream(Resource);
        Invariant.That(packed is not null, $"{Resource} is not embedded");
        using var reader = new StreamReader(new GZipStream(packed, CompressionMode.Decompress));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(
            StringComparer.Ordinal);
    }
}
