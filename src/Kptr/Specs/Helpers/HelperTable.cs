using System.Collections.Frozen;

namespace Kptr.Specs;

/// <summary>
/// The prototypes of all helpers of Linux 6.12, as data. The tables are in the other files, by topic.
/// </summary>
internal static partial class HelperTable
{
    private static readonly FrozenDictionary<(HelperId Id, string Variant), HelperSpec> ByVariant =
        new[] { MapTable, ObjectTable, KernelTable, TracingTable, PacketTable, SocketTable }
            .SelectMany(HelperParser.Parse).ToFrozenDictionary(h => (h.Id, h.Variant));

    /// <summary>Every prototype, in no order.</summary>
    public static IEnumerable<HelperSpec> All => ByVariant.Values;

    /// <summary>The prototype with this variant name, or <see langword="null"/>.</summary>
    public static HelperSpec? Find(HelperId id, string variant = "") => ByVariant.GetValueOrDefault((id, variant));

    /// <summary>
    /// The kernel's name of a helper: <c>bpf_</c> and its words; <c>unknown</c> for a number that is none.
    /// </summary>
    public static string NameOf(int id) =>
        All.FirstOrDefault(h => (int)h.Id == id)?.Name ?? "unknown";
}
