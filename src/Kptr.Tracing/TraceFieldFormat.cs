using System.Globalization;
using System.Text;
using Kptr.Tracing.Text;

namespace Kptr.Tracing;

/// <summary>One field of a <see cref="TraceEventFormat"/>.</summary>
public sealed class TraceFieldFormat
{
    private const int LocBytes = 4;

    // Worked out once, as every field of every record asks.
    private readonly FieldShape _shape;

    private TraceFieldFormat(string name, string type, int offsetBytes, int sizeBytes, bool isSigned)
    {
        Name = name;
        Type = type;
        OffsetBytes = offsetBytes;
        SizeBytes = sizeBytes;
        IsSigned = isSigned;
        _shape = ShapeOf(type, sizeBytes);
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its C type, an array's length included (<c>char[16]</c>).</summary>
    public string Type { get; }

    /// <summary>Where it begins in the record.</summary>
    public int OffsetBytes { get; }

    /// <summary>Its size; of a <c>__data_loc</c> that of the word that tells where the text is.</summary>
    public int SizeBytes { get; }

    /// <summary>Whether it is a signed number.</summary>
    public bool IsSigned { get; }

    /// <summary>Whether all events have it (<c>common_pid</c>).</summary>
    public bool IsCommon => Name.StartsWith("common_", StringComparison.Ordinal);

    private enum FieldShape
    {
        Number,
        Chars,
        DataLoc,
        RelLoc,
        Bytes,
    }

    /// <summary>Type, name and place.</summary>
    public override string ToString() => $"{Type} {Name} at {OffsetBytes}, {SizeBytes} bytes";

    // field:TYPE NAME[LENGTH]; offset:N; size:N; signed:N;
    internal static TraceFieldFormat? TryParse(string line)
    {
        var parts = line.Split(';', StringSplitOptions.TrimEntries);
        if (parts.Length < 3 || !parts[0].Contains(':', StringComparison.Ordinal))
        {
            return null;
        }

        var declared = parts[0][(parts[0].IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        var open = declared.EndsWith(']') ? declared.LastIndexOf('[') : -1;
        var bare = open < 0 ? declared : declared[..open];
        var name = bare[(bare.LastIndexOfAny([' ', '*']) + 1)..];
        var type = bare[..^name.Length].Trim() + (open < 0 ? "" : declared[open..]);
        var isSigned = parts.Length > 3 && TryNumber(parts[3], "signed:", out var signed) && signed != 0;
        return name.Length > 0 && TryNumber(parts[1], "offset:", out var offset) && TryNumber(parts[2], "size:",
            out var size)
            ? new(name, type, offset, size, isSigned)
            : null;
    }

    internal TraceField Decode(ReadOnlySpan<byte> record, bool isBigEndian, NameCache names)
    {
        if (OffsetBytes + SizeBytes > record.Length)
        {
            // Records are cut where their last fields are not set.
            return new(Name, 0, _shape == FieldShape.Number ? null : "");
        }

        var bytes = record.Slice(OffsetBytes, SizeBytes);
        switch (_shape)
        {
            case FieldShape.Number:
                return new(Name, NumberOf(bytes, isBigEndian));
            case FieldShape.Chars:
                return new(Name, 0, names.Get(UpToNul(bytes)));
            case FieldShape.DataLoc or FieldShape.RelLoc:
                var loc = (uint)NumberOf(bytes, isBigEndian);
                var start = (int)(loc & 0xffff) + (_shape == FieldShape.RelLoc ? OffsetBytes + LocBytes : 0);
                var length = (int)(loc >> 16);
                return start + length > record.Length
                    ? new(Name, 0, "")
                    : new(Name, 0, TextOf(record.Slice(start, length), names));
            default:
                return new(Name, 0, Convert.ToHexStringLower(bytes));
        }
    }

    internal void Encode(TraceEventFormat format, TraceEvent from, ref byte[] record)
    {
        var place = record.AsSpan(OffsetBytes, SizeBytes);
        if (_shape == FieldShape.Number)
        {
            PutNumber(place, NumberFor(format, from));
            return;
        }

        var text = Encoding.UTF8.GetBytes(from.TextOf(Name) ?? "");
        if (_shape == FieldShape.Chars)
        {
            text.AsSpan(0, Math.Min(text.Length, Math.Max(SizeBytes - 1, 0))).CopyTo(place);
        }
        else if (_shape is FieldShape.DataLoc or FieldShape.RelLoc && record.Length + text.Length < ushort.MaxValue)
        {
            var start = record.Length;
            Array.Resize(ref record, start + text.Length + 1);
            text.CopyTo(record, start);
            var from0 = _shape == FieldShape.RelLoc ? start - OffsetBytes - LocBytes : start;
            PutNumber(record.AsSpan(OffsetBytes, SizeBytes), ((text.Length + 1L) << 16) | (uint)from0);
        }
    }

    private long NumberFor(TraceEventFormat format, TraceEvent from) =>
        Name == "common_type" ? format.Id
        : Name == "common_pid" ? Math.Max(from.Pid, 0)
        : from.TryGetNumber(Name, out var number) ? number
        : Name == "prev_state" ? TaskStates.Parse(from.TextOf(Name) ?? "").Reported
        : from.TextOf(Name) is "true" ? 1 : 0;

    private long NumberOf(ReadOnlySpan<byte> bytes, bool isBigEndian)
    {
        ulong number = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            number = (number << 8) | bytes[isBigEndian ? i : bytes.Length - 1 - i];
        }

        var unused = 64 - (bytes.Length * 8);
        return IsSigned ? (long)(number << unused) >> unused : (long)number;
    }

    private static void PutNumber(Span<byte> place, long number)
    {
        for (var i = 0; i < place.Length; i++)
        {
            place[i] = (byte)(number >> (i * 8));
        }
    }

    private string TextOf(ReadOnlySpan<byte> bytes, NameCache names) =>
        Type.Contains("char", StringComparison.Ordinal) ? names.Get(UpToNul(bytes)) : Convert.ToHexStringLower(bytes);

    private static ReadOnlySpan<byte> UpToNul(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        return end < 0 ? bytes : bytes[..end];
    }

    private static FieldShape ShapeOf(string type, int sizeBytes) =>
        type.StartsWith("__data_loc", StringComparison.Ordinal) && sizeBytes == LocBytes ? FieldShape.DataLoc
        : type.StartsWith("__rel_loc", StringComparison.Ordinal) && sizeBytes == LocBytes ? FieldShape.RelLoc
        : type.EndsWith(']')
            ? type.Contains("char", StringComparison.Ordinal) ? FieldShape.Chars : FieldShape.Bytes
        : sizeBytes is 1 or 2 or 4 or 8 ? FieldShape.Number
        : FieldShape.Bytes;

    private static bool TryNumber(string part, string key, out int number)
    {
        number = 0;
        return part.StartsWith(key, StringComparison.Ordinal) && int.TryParse(
            part.AsSpan(key.Length).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out number)
            && number <= ushort.MaxValue;
    }
}
