using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Checks raw BTF once, so that nothing in it can lead a later reader astray.</summary>
/// <remarks>
/// Checked are the kinds, that each type lies in the section, and that each id and string offset exists. Cycles are
/// not refused: whoever follows references bounds their steps.
/// </remarks>
internal sealed class BtfReader(string name, BtfSpec? baseBtf, DiagSink sink)
{
    private const uint StringsMax = 0x1000000;
    private readonly int _startId = baseBtf?.TypeCount ?? 1;
    private BtfHeader _header;
    private uint _typeCount;
    private uint _stringsEnd;

    internal (BtfBytes Bytes, int[] Offsets)? Read(BtfBlob file)
    {
        var data = file.Span;
        if (BtfHeader.TryRead(data, out var bigEndian) is not { } header || header.HeaderLen < BtfHeader.Bytes)
        {
            return Fail(DiagCode.BtfBadHeader, "no BTF header", 0);
        }

        _header = header;
        var typesStart = (long)header.HeaderLen + header.TypeOff;
        var stringsStart = (long)header.HeaderLen + header.StrOff;
        if (typesStart + header.TypeLen > data.Length || stringsStart + header.StrLen > data.Length)
        {
            return Fail(DiagCode.BtfTruncated, "BTF sections reach past the end", 8);
        }

        if (((header.TypeLen | header.TypeOff) & 3) != 0)
        {
            return Fail(DiagCode.BtfMalformed, "the type section is not made of 4-byte words", 8);
        }

        var (types, start) = (file, (int)typesStart);
        if (bigEndian == BitConverter.IsLittleEndian)
        {
            (types, start) = (Swap(data.Slice(start, (int)header.TypeLen)), 0);
        }

        // Offset 0 is the empty name, even where there are no strings.
        var stringsEnd = Math.Max(1, (baseBtf?.EndStringOffset ?? 0) + (long)header.StrLen);
        _stringsEnd = (uint)Math.Min(stringsEnd, uint.MaxValue);
        if (stringsEnd > int.MaxValue)
        {
            return Fail(DiagCode.BtfMalformed, "the strings are too large", 16);
        }

        var bytes = new BtfBytes(types, start, (int)header.TypeLen, file, (int)stringsStart, (int)header.StrLen)
        {
            LayoutFault = LayoutFault(data, header),
        };
        var offsets = Scan(bytes.Types);
        return offsets is not null && Check(bytes.Types, offsets) ? (bytes, offsets) : null;
    }

    /// <summary>
    /// A kernel wants the types right behind the header, the strings right behind the types, and nothing else.
    /// </summary>
    /// <remarks>Kernel: <c>btf_parse_hdr</c>, <c>btf_check_sec_info</c> and <c>btf_parse_str_sec</c>.</remarks>
    private static string? LayoutFault(ReadOnlySpan<byte> data, BtfHeader header) => data switch
    {
        _ when data[3] != 0 => "Unsupported flags",
        _ when header.HeaderLen > BtfHeader.Bytes
            && data[BtfHeader.Bytes..(int)header.HeaderLen].ContainsAnyExcept((byte)0)
            => "Unsupported btf_header",
        _ when header.TypeOff != 0 || header.StrOff != header.TypeLen => "Unsupported section found",
        _ when header.HeaderLen + (long)header.StrOff + header.StrLen != data.Length =>
            "String section is not at the end",
        _ when header.StrLen is 0 or > StringsMax || data[^1] != 0 || data[(int)(header.HeaderLen + header.StrOff)] != 0
            => "Invalid string section",
        _ => null,
    };

    private static BtfBlob Swap(ReadOnlySpan<byte> types)
    {
        var swapped = types.ToArray();
        for (var at = 0; at < swapped.Length; at += 4)
        {
            swapped.AsSpan(at, 4).Reverse();
        }

        return BtfBlob.Of(swapped);
    }

    /// <summary>The word each type starts at; null after a report.</summary>
    // runs once over everything: there is no second call to tier up for
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int[]? Scan(ReadOnlySpan<uint> types)
    {
        var offsets = new int[(types.Length / 6) + 16];
        var count = 0;
        for (var at = 0; at < types.Length;)
        {
            if (types.Length - at < 3)
            {
                return FailAt<int[]>(at, DiagCode.BtfTruncated, "a type reaches past the end");
            }

            var trailer = TrailerWords(types[at + 1]);
            if (trailer < 0)
            {
                return FailAt<int[]>(at, DiagCode.BtfMalformed, "a type has an unknown kind");
            }

            if (types.Length - at < 3 + trailer)
            {
                return FailAt<int[]>(at, DiagCode.BtfTruncated, "a type reaches past the end");
            }

            if (count == offsets.Length)
            {
                Array.Resize(ref offsets, count * 2);
            }

            offsets[count++] = at;
            at += 3 + trailer;
        }

        Array.Resize(ref offsets, count);
        _typeCount = (uint)(_startId + count);
        return offsets;
    }

    /// <summary>Words after the three that every type has; -1 for kinds that do not exist.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int TrailerWords(uint info)
    {
        var vlen = (int)(info & 0xffff);
        switch ((BtfKind)((info >> 24) & 0x1f))
        {
            case BtfKind.Ptr or BtfKind.Const or BtfKind.Typedef or BtfKind.Func or BtfKind.Fwd or BtfKind.Volatile
                or BtfKind.Restrict or BtfKind.Float or BtfKind.TypeTag:
                return 0;
            case BtfKind.Struct or BtfKind.Union or BtfKind.DataSec or BtfKind.Enum64:
                return 3 * vlen;
            case BtfKind.Enum or BtfKind.FuncProto:
                return 2 * vlen;
            case BtfKind.Array:
                return 3;
            case BtfKind.Int or BtfKind.Var or BtfKind.DeclTag:
                return 1;
            default:
                return -1;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Check(ReadOnlySpan<uint> types, int[] offsets)
    {
        foreach (var at in offsets)
        {
            var type = types[at..];
            var info = type[1];
            if (type[0] >= _stringsEnd)
            {
                return Bad(at, "a name lies outside of the strings");
            }

            var trailer = type.Slice(3, TrailerWords(info));
            var fine = (BtfKind)((info >> 24) & 0x1f) switch
            {
                BtfKind.Struct or BtfKind.Union => CheckMembers(trailer),
                BtfKind.Int or BtfKind.Float or BtfKind.Fwd => true,
                BtfKind.Enum => CheckNames(trailer, 2),
                BtfKind.Enum64 => CheckNames(trailer, 3),
                BtfKind.DataSec => CheckVars(trailer),
                BtfKind.FuncProto => CheckParams(trailer),
                BtfKind.Array => trailer[0] < _typeCount && trailer[1] < _typeCount,
                _ => type[2] < _typeCount,
            };
            if (!fine)
            {
                return Bad(at, "a type refers to a name or type that does not exist");
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool CheckMembers(ReadOnlySpan<uint> words)
    {
        for (; words.Length >= 3; words = words[3..])
        {
            if (words[0] >= _stringsEnd || words[1] >= _typeCount)
            {
                return false;
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool CheckParams(ReadOnlySpan<uint> words)
    {
        for (; words.Length >= 2; words = words[2..])
        {
            if (words[0] >= _stringsEnd || words[1] >= _typeCount)
            {
                return false;
            }
        }

        return true;
    }

    private bool CheckNames(ReadOnlySpan<uint> words, int step)
    {
        for (; words.Length >= step; words = words[step..])
        {
            if (words[0] >= _stringsEnd)
            {
                return false;
            }
        }

        return true;
    }

    private bool CheckVars(ReadOnlySpan<uint> words)
    {
        for (; words.Length >= 3; words = words[3..])
        {
            if (words[0] >= _typeCount)
            {
                return false;
            }
        }

        return true;
    }

    private bool Bad(int at, string message) => FailAt<object>(at, DiagCode.BtfMalformed, message) is not null;

    private (BtfBytes, int[])? Fail(DiagCode code, string message, long offset)
    {
        sink.Report(new(code, message) { File = name, OffsetBytes = offset });
        return null;
    }

    /// <summary>Reports a fault at a word of the type section.</summary>
    private T? FailAt<T>(int word, DiagCode code, string message)
        where T : class
    {
        Fail(code, message, (long)_header.HeaderLen + _header.TypeOff + (4L * word));
        return null;
    }
}
