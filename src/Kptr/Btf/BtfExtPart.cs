using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Reads one part of <c>.BTF.ext</c>: a record size, then records by section.</summary>
internal readonly ref struct BtfExtPart(
    ReadOnlySpan<byte> data, int headerLen, bool bigEndian, BtfSpec btf, DiagSink sink)
{
    private readonly ReadOnlySpan<byte> _data = data;

    /// <summary>Makes a record of its words; null where it refers to a type or string that does not exist.</summary>
    internal delegate T? Maker<T>(BtfSpec btf, uint a, uint b, uint c, uint d)
        where T : struct;

    internal static BtfExtFunc? Func(BtfSpec btf, uint insn, uint type, uint c, uint d) =>
        insn <= int.MaxValue && type < (uint)btf.TypeCount ? new BtfExtFunc((int)insn, (int)type) : null;

    internal static BtfExtLine? Line(BtfSpec btf, uint insn, uint file, uint text, uint lineCol) =>
        insn <= int.MaxValue && IsString(btf, file) && IsString(btf, text)
            ? new BtfExtLine(btf, (int)insn, (int)file, (int)text, (int)(lineCol >> 10), (int)(lineCol & 0x3ff))
            : null;

    internal static BtfExtRelo? Relo(BtfSpec btf, uint insn, uint type, uint access, uint kind) =>
        insn <= int.MaxValue && type < (uint)btf.TypeCount && IsString(btf, access) && kind <= int.MaxValue
            ? new BtfExtRelo(btf, (int)insn, (int)type, (int)access, (int)kind)
            : null;

    internal ImmutableDictionary<string, ImmutableArray<T>>? Read<T>(uint off, uint len, int recordMin, Maker<T> make)
        where T : struct
    {
        if (len == 0)
        {
            return ImmutableDictionary<string, ImmutableArray<T>>.Empty;
        }

        var sections = new Dictionary<string, List<T>>();

        var at = headerLen + (long)off;
        var end = at + len;
        if (end > _data.Length || len < 4)
        {
            return Fail<T>(DiagCode.BtfTruncated, "a part of .BTF.ext reaches past the end", headerLen);
        }

        var recordSize = U32(at);
        if (recordSize < recordMin || (recordSize & 3) != 0)
        {
            return Fail<T>(DiagCode.BtfMalformed, "the record size is too small", at);
        }

        for (at += 4; at < end;)
        {
            if (end - at < 8 || U32(at + 4) is var count && (end - at - 8) / recordSize < count)
            {
                return Fail<T>(DiagCode.BtfTruncated, "a section's records reach past the end", at);
            }

            if (!IsString(btf, U32(at)) || !ReadRecords(at + 8, (int)count, recordSize, make, Section(sections, at)))
            {
                return Fail<T>(DiagCode.BtfMalformed, "a record refers to a name or type that does not exist", at);
            }

            at += 8 + ((long)count * recordSize);
        }

        return sections.ToImmutableDictionary(s => s.Key, s => s.Value.ToImmutableArray());
    }

    /// <summary>The list of a section's records; the compiler may have written a section in several runs.</summary>
    private List<T> Section<T>(Dictionary<string, List<T>> sections, long at)
    {
        var name = btf.StringAt((int)U32(at));
        if (!sections.TryGetValue(name, out var records))
        {
            sections[name] = records = [];
        }

        return records;
    }

    private bool ReadRecords<T>(long at, int count, uint recordSize, Maker<T> make, List<T> records)
        where T : struct
    {
        for (var i = 0; i < count; i++, at += recordSize)
        {
            var (c, d) = recordSize >= 16 ? (U32(at + 8), U32(at + 12)) : (0, 0);
            if (make(btf, U32(at), U32(at + 4), c, d) is not { } record)
            {
                return false;
            }

            records.Add(record);
        }

        return true;
    }

    private static bool IsString(BtfSpec btf, uint offset) => offset == 0 || offset < (uint)btf.EndStringOffset;

    private uint U32(long at) => BtfHeader.ReadU32(_data[(int)at..], bigEndian);

    private ImmutableDictionary<string, ImmutableArray<T>>? Fail<T>(DiagCode code, string message, long at)
    {
        sink.Report(new(code, message) { File = btf.Name, Section = ".BTF.ext", OffsetBytes = at });
        return null;
    }
}
