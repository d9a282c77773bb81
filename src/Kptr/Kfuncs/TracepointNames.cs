using System.Collections.Frozen;

namespace Kptr.Kfuncs;

/// <summary>
/// The tracepoints of a real kernel (Linux 6.12, Debian's cloud configuration, x86-64) and its system calls' (
/// <c>sys_enter_openat</c>), by name.
/// </summary>
/// <remarks>The built-in types describe few of them; programs for all of them can be attached.</remarks>
internal static class TracepointNames
{
    private static readonly Lazy<FrozenSet<string>> s_all = new(
        () => EmbeddedText.ReadNames("tracepoints-6.12.txt.gz"));

    internal static FrozenSet<string> All => s_all.Value;
}
