using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Maps;

namespace Kptr.Soundness;

/// <summary>What a user sees of a program's runs, as lines that are the same wherever they are made.</summary>
/// <remarks>No addresses: they differ from kernel to kernel.</remarks>
internal sealed class Transcript(KernelModel kernel, BpfProgram program, IReadOnlyList<BpfMap> maps)
{
    private readonly List<string> _lines = [];

    internal IReadOnlyList<string> Lines => _lines;

    /// <summary>How a run ended.</summary>
    internal void Add(ProgramResult result) =>
        AddLine($"{result.ReturnValue} {result.Fault?.Code} {result.Fault?.InsnIdx}");

    /// <summary>What is in the maps, who holds what, and which faults were reported since the last time.</summary>
    internal void AddState()
    {
        foreach (var map in maps)
        {
            AddLine($"{map.Name} {map.TakeCensus()} {ContentOf(map)}");
        }

        AddReferences();
    }

    /// <summary>Who holds what, and which faults were reported since the last time.</summary>
    internal void AddReferences()
    {
        var entries = kernel.Ledger.Snapshot().Entries;
        AddLine($"ran {program.RunCount}, {entries.Length} held");
        _lines.AddRange(entries.Select(e => e.Holder.GetType().Name).Order(StringComparer.Ordinal));
        _lines.AddRange(kernel.TakeFaults().Select(f => $"{f.Code} {f.Site}"));
    }

    private void AddLine(FormattableString line) => _lines.Add(line.ToString(CultureInfo.InvariantCulture));

    private static string ContentOf(BpfMap map)
    {
        if (map.KeySize == 0 || map.Record.Fields.Length > 0)
        {
            return ""; // what a lock or a list is in bytes is nobody's
        }

        var text = new List<string>();
        Span<byte> key = new byte[map.KeySize], next = new byte[map.KeySize], value = new byte[map.UserValueSize];
        for (var from = Span<byte>.Empty; map.GetNextKey(from, next) == Errno.None && text.Count < 64; from = key)
        {
            next.CopyTo(key);
            text.Add(map.LookupElem(key, value) == Errno.None ? Convert.ToHexString(key) + Convert.ToHexString(value)
                : Convert.ToHexString(key));
        }

        text.Sort(StringComparer.Ordinal);
        return string.Join(' ', text);
    }
}
