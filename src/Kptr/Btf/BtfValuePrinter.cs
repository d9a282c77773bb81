using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Kptr.Btf;

/// <summary>A member of a value, as text.</summary>
/// <param name="Name">Its name; those of anonymous members are their own members.</param>
/// <param name="OffsetBytes">Where it begins in the value.</param>
/// <param name="Text">What it holds, in C.</param>
public readonly record struct BtfFieldText(string Name, int OffsetBytes, string Text);

/// <summary>Prints values in C by their types, as bpftool's map dumps do.</summary>
/// <remarks>
/// <para>
/// Numbers are decimal, pointers hexadecimal, arrays of <c>char</c> that hold text are strings, enums have their names.
/// Bytes that no type explains, and values that are shorter than their type, are hexadecimal bytes.
/// </para>
/// <para>
/// A type can be larger than anybody wants to read: arrays end after 64 elements, the text after some 4,096 characters,
/// both with <c>...</c>, and of a struct's members 4,096 are shown. Values are little-endian. Safe for any number of
/// threads.
/// </para>
/// </remarks>
public static class BtfValuePrinter
{
    private const int CharsMax = 4096;
    private const int ItemsMax = 64;
    private const int DepthMax = 32;
    private const int MembersMax = 4096;
    private const string More = "...";

    /// <summary>A value in one line.</summary>
    /// <exception cref="ArgumentException">There is no type.</exception>
    public static string Print(BtfType type, ReadOnlySpan<byte> value)
    {
        ThrowIfNone(type);
        var text = new StringBuilder();
        Value(text, type, value, 0);
        return text.ToString();
    }

    /// <summary>
    /// The members of a struct, the variables of a data section; of any other type one without a name.
    /// </summary>
    /// <exception cref="ArgumentException">There is no type.</exception>
    public static IReadOnlyList<BtfFieldText> Fields(BtfType type, ReadOnlySpan<byte> value)
    {
        ThrowIfNone(type);
        var bare = type.SkipModifiers();
        var fields = new List<BtfFieldText>();
        if (bare.Kind is BtfKind.Struct or BtfKind.Union or BtfKind.DataSec && value.Length >= bare.SizeBytes)
        {
            var left = MembersMax;
            AddFields(fields, bare, value, 0, 0, ref left);
        }
        else
        {
            fields.Add(new("", 0, Print(type, value)));
        }

        return fields;
    }

    private static void ThrowIfNone(BtfType type)
    {
        if (type.Btf is null || (uint)type.Id >= (uint)type.Btf.TypeCount)
        {
            throw new ArgumentException($"{type} is no type", nameof(type));
        }
    }

    private static void AddFields(
        List<BtfFieldText> fields, BtfType bare, ReadOnlySpan<byte> value, int offsetBytes, int depth,
        ref int left)
    {
        for (var i = 0; i < bare.VLen && left-- > 0; i++)
        {
            var (name, type, at, bits) = PartOf(bare, i);
            if (name.Length == 0 && depth < DepthMax && type.SkipModifiers() is { IsComposite: true } inner)
            {
                AddFields(fields, inner, Part(value, at), offsetBytes + at, depth + 1, ref left);
            }
            else if (name.Length > 0)
            {
                var text = new StringBuilder();
                PartValue(text, type, value, at, bits, 1);
                fields.Add(new(name, offsetBytes + at, text.ToString()));
            }
        }
    }

    private static (string Name, BtfType Type, int OffsetBytes, (int First, int Count) Bits) PartOf(BtfType bare, int i)
    {
        if (bare.Kind == BtfKind.DataSec)
        {
            var info = bare.Var(i);
            var variable = bare.Btf[info.TypeId];
            return (variable.Name, variable.Kind == BtfKind.Var ? variable.Ref : variable, info.OffsetBytes, default);
        }

        var member = bare.Member(i);
        return (member.Name, bare.Btf[member.TypeId], member.OffsetBytes, (member.BitOffset, member.BitfieldSizeBits));
    }

    private static void PartValue(
        StringBuilder text, BtfType type, ReadOnlySpan<byte> value, int at, (int First, int Count) bits, int depth)
    {
        if (bits.Count == 0)
        {
            Value(text, type, Part(value, at), depth);
            return;
        }

        UInt128 whole = 0;
        var covered = Part(value, bits.First / 8);
        for (var i = Math.Min(covered.Length, 16) - 1; i >= 0; i--)
        {
            whole = (whole << 8) | covered[i];
        }

        var field = (ulong)(whole >> (bits.First % 8));
        var unused = Math.Max(64 - bits.Count, 0);
        var bare = type.SkipModifiers();
        Number(text, bare, IsSigned(bare) ? (long)(field << unused) >> unused : (long)((field << unused) >> unused));
    }

    private static ReadOnlySpan<byte> Part(ReadOnlySpan<byte> value, int at) =>
        (uint)at <= (uint)value.Length ? value[at..] : [];

    private static void Value(StringBuilder text, BtfType type, ReadOnlySpan<byte> value, int depth)
    {
        var bare = type.SkipModifiers();
        var size = bare.Btf.ResolveSize(bare.Id);
        if (text.Length > CharsMax || depth > DepthMax)
        {
            text.Append(More);
        }
        else if (size <= 0 || value.Length < size)
        {
            Hex(text, value[..Math.Min(value.Length, size <= 0 ? value.Length : size)]);
        }
        else if (bare.Kind == BtfKind.Array)
        {
            Array(text, bare, value[..size], depth);
        }
        else if (bare.IsComposite || bare.Kind == BtfKind.DataSec)
        {
            Members(text, bare, value[..size], depth);
        }
        else
        {
            Scalar(text, bare, value[..size]);
        }
    }

    private static void Members(StringBuilder text, BtfType bare, ReadOnlySpan<byte> value, int depth)
    {
        text.Append('{');
        for (var i = 0; i < bare.VLen; i++)
        {
            if (text.Length > CharsMax)
            {
                text.Append(i > 0 ? ", " : "").Append(More);
                break;
            }

            var (name, type, at, bits) = PartOf(bare, i);
            if (name.Length == 0 && !type.SkipModifiers().IsComposite)
            {
                continue; // what only fills a gap
            }

            text.Append(text[^1] == '{' ? "" : ", ").Append(name.Length == 0 ? "" : $".{name} = ");
            PartValue(text, type, value, at, bits, depth + 1);
        }

        text.Append('}');
    }

    private static void Array(StringBuilder text, BtfType bare, ReadOnlySpan<byte> value, int depth)
    {
        var (elemId, _, count) = bare.Array;
        var elem = bare.Btf[elemId].SkipModifiers();
        if (elem is { Kind: BtfKind.Int, SizeBytes: 1 } && (elem.Int.IsChar || elem.Name == "char") && IsText(value))
        {
            Text(text, value);
            return;
        }

        var step = count == 0 ? 0 : value.Length / count;
        text.Append('{');
        for (var i = 0; i < count; i++)
        {
            text.Append(i > 0 ? ", " : "");
            if (i == ItemsMax || text.Length > CharsMax)
            {
                text.Append(More);
                break;
            }

            Value(text, elem, value.Slice(i * step, step), depth + 1);
        }

        text.Append('}');
    }

    // Text, then zeros to the end.
    private static bool IsText(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        return end >= 0 && !bytes[end..].ContainsAnyExcept((byte)0)
            && !bytes[..end].ContainsAnyInRange((byte)0, (byte)31) && !bytes[..end].Contains((byte)127);
    }

    private static void Text(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        var shown = Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)])
            .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        text.Append('"').Append(shown.Length > CharsMax ? shown[..CharsMax] + More : shown).Append('"');
    }

    private static void Scalar(StringBuilder text, BtfType bare, ReadOnlySpan<byte> value)
    {
        switch (bare.Kind)
        {
            case BtfKind.Ptr:
                var pointer = Unsigned(value);
                text.Append(pointer == 0 ? "NULL" : "0x" + pointer.ToString("x", CultureInfo.InvariantCulture));
                break;
            case BtfKind.Float when value.Length is 4 or 8:
                text.Append(value.Length == 4
                    ? BinaryPrimitives.ReadSingleLittleEndian(value).ToString("R", CultureInfo.InvariantCulture)
                    : BinaryPrimitives.ReadDoubleLittleEndian(value).ToString("R", CultureInfo.InvariantCulture));
                break;
            case BtfKind.Int or BtfKind.Enum or BtfKind.Enum64 when value.Length <= sizeof(ulong):
                var unused = 64 - (value.Length * 8);
                Number(text, bare, IsSigned(bare)
                    ? (long)(Unsigned(value) << unused) >> unused : (long)Unsigned(value));
                break;
            default:
                Hex(text, value);
                break;
        }
    }

    private static void Number(StringBuilder text, BtfType bare, long number)
    {
        if (bare.Kind is BtfKind.Enum or BtfKind.Enum64)
        {
            for (var i = 0; i < bare.VLen; i++)
            {
                if (bare.EnumValue(i) is var named && named.Value == number)
                {
                    text.Append(named.Name);
                    return;
                }
            }
        }

        if (bare is { Kind: BtfKind.Int, Int.IsBool: true } && number is 0 or 1)
        {
            text.Append(number == 1 ? "true" : "false");
        }
        else
        {
            text.Append(IsSigned(bare)
                ? number.ToString(CultureInfo.InvariantCulture)
                : ((ulong)number).ToString(CultureInfo.InvariantCulture));
        }
    }

    private static bool IsSigned(BtfType bare) => bare.Kind == BtfKind.Int ? bare.Int.IsSigned : bare.KindFlag;

    private static ulong Unsigned(ReadOnlySpan<byte> bytes)
    {
        ulong number = 0;
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            number = (number << 8) | bytes[i];
        }

        return number;
    }

    private static void Hex(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        text.Append('{');
        for (var i = 0; i < bytes.Length; i++)
        {
            text.Append(i > 0 ? " " : "");
            if (i == ItemsMax)
            {
                text.Append(More);
                break;
            }

            text.Append(bytes[i].ToString("x2", CultureInfo.InvariantCulture));
        }

        text.Append('}');
    }
}
