using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Elf;

/// <summary>One record of <c>.BTF.ext</c>: what applies from (or to) the instruction at a byte offset of a section.</summary>
/// <param name="OffsetBytes">Where in the section.</param>
/// <param name="A">func_info: type id. line_info: file name. CO-RE: type id.</param>
/// <param name="B">line_info: text. CO-RE: access string.</param>
/// <param name="C">line_info: line and column. CO-RE: kind.</param>
internal readonly record struct ExtRecord(uint OffsetBytes, uint A, uint B, uint C);

/// <summary>The records of <c>.BTF.ext</c> by section index, in file order.</summary>
internal sealed class ExtInfo
{
    private const int HeaderBytes = 24;
    private readonly ElfSection? _section;
    private readonly ElfFile _file;

    public ExtInfo(ElfFile file, ElfSection? section, BtfSpec? btf)
    {
        _file = file;
        _section = section;
        if (section is null || btf is null)
        {
            return;
        }

        var span = section.Data.Span;
        if (span.Length < HeaderBytes || BinaryPrimitives.ReadUInt16LittleEndian(span) != 0xeb9f)
        {
            Fail(DiagCode.BtfBadHeader, 0, "no BTF.ext header");
        }

        var header = U32(4);
        Funcs = ReadSegment(btf, header, 8, 2);
        Lines = ReadSegment(btf, header, 16, 4);
        CoRe = header >= 32 ? ReadSegment(btf, header, 24, 4) : [];
    }

    public Dictionary<int, ExtRecord[]> Funcs { get; } = [];

    public Dictionary<int, ExtRecord[]> Lines { get; } = [];

    public Dictionary<int, ExtRecord[]> CoRe { get; } = [];

    /// <summary>The records about the instructions of a function.</summary>
    public static ReadOnlySpan<ExtRecord> Within(Dictionary<int, ExtRecord[]> records, ElfProg prog)
    {
        if (!records.TryGetValue(prog.Section.Index, out var all))
        {
            return [];
        }

        long from = (long)prog.StartInsn * BpfInsn.SizeBytes, to = from + ((long)prog.InsnCount * BpfInsn.SizeBytes);
        int first = LowerBound(all, from), end = LowerBound(all, to);
        return all.AsSpan(first, end - first);
    }

    private static int LowerBound(ExtRecord[] records, long offset)
    {
        int low = 0, high = records.Length;
        while (low < high)
        {
            var mid = (low + high) / 2;
            (low, high) = records[mid].OffsetBytes < offset ? (mid + 1, high) : (low, mid);
        }

        return low;
    }

    private Dictionary<int, ExtRecord[]> ReadSegment(BtfSpec btf, uint header, int field, int words)
    {
        var bySection = new Dictionary<int, List<ExtRecord>>();
        long at = (long)header + U32(field), end = at + U32(field + 4);
        if (U32(field + 4) == 0)
        {
            return [];
        }

        if (end > _section!.Data.Length || at + 4 > end)
        {
            Fail(DiagCode.BtfTruncated, field, "a table reaches past the end");
        }

        long recordBytes = U32((int)at);
        at += 4;
        if (recordBytes < words * 4 || recordBytes % 4 != 0)
        {
            Fail(DiagCode.BtfMalformed, at - 4, $"records of {recordBytes} bytes");
        }

        while (at < end)
        {
            if (at + 8 > end || at + 8 + (recordBytes * U32((int)at + 4)) > end)
            {
                Fail(DiagCode.BtfTruncated, at, "records reach past the end of their table");
            }

            var section = _file.Find(btf.StringAt((int)U32((int)at)))?.Index ?? 0;
            var count = U32((int)at + 4);
            at += 8;
            if (!bySection.TryGetValue(section, out var records))
            {
                bySection[section] = records = [];
            }

            for (var i = 0u; i < count; i++, at += recordBytes)
            {
                var p = (int)at;
                records.Add(new(U32(p), U32(p + 4), words > 2 ? U32(p + 8) : 0, words > 2 ? U32(p + 12) : 0));
            }
        }

        // Stable, so that records of one instruction keep their order.
        return bySection.ToDictionary(s => s.Key, s => s.Value.OrderBy(r => r.OffsetBytes).ToArray());
    }

    private uint U32(int at)
    {
        if (at < 0 || at + 4 > _section!.Data.Length)
        {
            Fail(DiagCode.BtfTruncated, at, "a record reaches past the end");
        }

        return BinaryPrimitives.ReadUInt32LittleEndian(_section!.Data.Span[at..]);
    }

    private void Fail(DiagCode code, long offset, string message) =>
        ElfFault.Throw(code, _file.Name, _section!.Name, offset, message);
}
