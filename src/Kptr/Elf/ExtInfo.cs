using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Isa;

namespace Kptr.Elf;

/// <summary>The records of <c>.BTF.ext</c> by section index, sorted by place, to be cut into functions.</summary>
internal sealed class ExtInfo
{
    public ExtInfo(ElfFile file, ElfSection? section, BtfSpec? btf)
    {
        if (section is null || btf is null)
        {
            return;
        }

        var ext = BtfExt.Read(section.Data, btf);
        Funcs = Sort(file, ext.Funcs, f => f.InsnOffsetBytes);
        Lines = Sort(file, ext.Lines, l => l.InsnOffsetBytes);
        CoRe = Sort(file, ext.Relos, r => r.InsnOffsetBytes);
    }

    private Dictionary<int, BtfExtFunc[]> Funcs { get; } = [];

    private Dictionary<int, BtfExtLine[]> Lines { get; } = [];

    private Dictionary<int, BtfExtRelo[]> CoRe { get; } = [];

    public ReadOnlySpan<BtfExtFunc> FuncsOf(ElfProg prog) => Within(Funcs, prog, f => f.InsnOffsetBytes);

    public ReadOnlySpan<BtfExtLine> LinesOf(ElfProg prog) => Within(Lines, prog, l => l.InsnOffsetBytes);

    public ReadOnlySpan<BtfExtRelo> CoReOf(ElfProg prog) => Within(CoRe, prog, r => r.InsnOffsetBytes);

    // Stable, so that records of one instruction keep their order.
    private static Dictionary<int, T[]> Sort<T>(
        ElfFile file, ImmutableDictionary<string, ImmutableArray<T>> records, Func<T, int> offset) => records
        .Select(r => (Section: file.Find(r.Key)?.Index ?? 0, Records: r.Value))
        .Where(r => r.Section != 0)
        .ToDictionary(r => r.Section, r => r.Records.OrderBy(offset).ToArray());

    private static ReadOnlySpan<T> Within<T>(Dictionary<int, T[]> records, ElfProg prog, Func<T, int> offset)
    {
        if (!records.TryGetValue(prog.Section.Index, out var all))
        {
            return [];
        }

        long from = (long)prog.StartInsn * BpfInsn.SizeBytes, to = from + ((long)prog.InsnCount * BpfInsn.SizeBytes);
        int first = LowerBound(all, from, offset), end = LowerBound(all, to, offset);
        return all.AsSpan(first, end - first);
    }

    private static int LowerBound<T>(T[] records, long value, Func<T, int> offset)
    {
        int low = 0, high = records.Length;
        while (low < high)
        {
            var mid = (low + high) / 2;
            (low, high) = offset(records[mid]) < value ? (mid + 1, high) : (low, mid);
        }

        return low;
    }
}
