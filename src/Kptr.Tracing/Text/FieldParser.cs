using System.Buffers.Text;

namespace Kptr.Tracing.Text;

/// <summary>Reads the fields that an event has printed.</summary>
internal sealed class FieldParser(NameCache names)
{
    private const int FieldsMax = 128;
    private readonly TraceField[] _fields = new TraceField[FieldsMax];
    private int _count;

    /// <summary>The fields of an event.</summary>
    /// <returns>
    /// What <c>KEY=VALUE</c> pairs there are, by the order of a known event's keys where they are all there; the whole
    /// as one field <c>text</c> where there are none.
    /// </returns>
    internal TraceField[] Parse(string name, ReadOnlySpan<byte> payload)
    {
        foreach (var keys in EventKeys.Of(name))
        {
            _count = 0;
            if (TryKeys(keys, payload))
            {
                return Taken();
            }
        }

        _count = 0;
        if (PluginText.IsKnown(name) && PluginText.TryParse(name, payload, this))
        {
            return Taken();
        }

        _count = 0;
        AddPairs(payload);
        if (_count == 0 && !payload.IsEmpty)
        {
            AddText("text", payload);
        }

        return Taken();
    }

    /// <summary>Adds a field whose value is a number where it reads as one.</summary>
    internal void AddValue(string field, ReadOnlySpan<byte> value)
    {
        if (TryNumber(value, 'd', out var number))
        {
            AddNumber(field, number);
        }
        else
        {
            AddText(field, value);
        }
    }

    internal void AddText(string field, ReadOnlySpan<byte> value) => Add(new(field, 0, names.Get(value)));

    internal void AddNumber(string field, long value) => Add(new(field, value));

    private static bool TryNumber(ReadOnlySpan<byte> text, char kind, out long number)
    {
        if (text.StartsWith("0x"u8))
        {
            text = text[2..];
            kind = 'x';
        }

        if (kind == 'x')
        {
            var isHex = Utf8Parser.TryParse(text, out ulong bits, out var digits, 'x') && digits == text.Length;
            number = (long)bits;
            return isHex;
        }

        if (Utf8Parser.TryParse(text, out number, out var length) && length == text.Length)
        {
            return text[0] != '+';
        }

        // Unsigned ones that fill 64 bits.
        var isUnsigned = Utf8Parser.TryParse(text, out ulong wide, out length) && length == text.Length;
        number = (long)wide;
        return isUnsigned;
    }

    // The keys of a known event in their order. A text ends where the next key is, and that key is the real one if all
    // behind it is there too: a name that holds a key is told from the key itself.
    private bool TryKeys(ReadOnlySpan<EventKey> keys, ReadOnlySpan<byte> text)
    {
        while (!keys.IsEmpty)
        {
            var key = keys[0];
            keys = keys[1..];
            text = text.TrimStart((byte)' ');
            if (!text.StartsWith(key.Key))
            {
                if (key.IsOptional)
                {
                    continue;
                }

                return false;
            }

            text = text[key.Key.Length..];
            if (key.Kind == 's' && !keys.IsEmpty)
            {
                return TryText(key, keys, text);
            }

            var end = key.Kind == 's' ? text.Length : text.IndexOf((byte)' ');
            end = end < 0 ? text.Length : end;
            if (!TryAdd(key, text[..end]))
            {
                return false;
            }

            text = SkipPunctuation(text[end..]);
        }

        return text.IsEmpty;
    }

    private bool TryText(EventKey key, ReadOnlySpan<EventKey> keys, ReadOnlySpan<byte> text)
    {
        for (var at = 0; at < text.Length; at++)
        {
            var space = text[at..].IndexOf((byte)' ');
            if (space < 0)
            {
                return false;
            }

            at += space;
            var rest = text[(at + 1)..];
            if (rest.StartsWith(keys[0].Key))
            {
                var before = _count;
                AddText(key.Field, text[..at]);
                if (TryKeys(keys, rest))
                {
                    return true;
                }

                _count = before;
            }
        }

        return false;
    }

    private bool TryAdd(EventKey key, ReadOnlySpan<byte> value)
    {
        if (key.Kind == 's')
        {
            AddText(key.Field, value);
        }
        else if (key.Kind == 'v')
        {
            AddValue(key.Field, value);
        }
        else if (TryNumber(value, key.Kind, out var number))
        {
            AddNumber(key.Field, number);
        }
        else
        {
            return false;
        }

        return true;
    }

    private static ReadOnlySpan<byte> SkipPunctuation(ReadOnlySpan<byte> text)
    {
        while (true)
        {
            text = text.TrimStart((byte)' ');
            if (text.StartsWith("==>"u8))
            {
                text = text[3..];
            }
            else if (text.StartsWith("[ns]"u8))
            {
                text = text[4..];
            }
            else
            {
                return text;
            }
        }
    }

    // Of events that are not known: a value goes on until the next word that has an equals sign behind a name.
    private void AddPairs(ReadOnlySpan<byte> text)
    {
        var key = NextKey(text, 0, out var equals);
        while (key >= 0 && _count < FieldsMax)
        {
            var name = names.Get(text[key..equals]);
            var value = equals + 1;
            key = NextKey(text, value, out equals);
            var end = key < 0 ? text.Length : key;
            AddValue(name, text[value..end].TrimEnd(" ,;"u8));
        }
    }

    private static int NextKey(ReadOnlySpan<byte> text, int from, out int equals)
    {
        equals = from;
        while (equals < text.Length)
        {
            var at = text[equals..].IndexOf((byte)'=');
            if (at < 0)
            {
                return -1;
            }

            equals += at;
            var start = equals;
            while (start > from && IsNameByte(text[start - 1]))
            {
                start--;
            }

            if (start < equals && (start == 0 || text[start - 1] is (byte)' ' or (byte)',' or (byte)'('))
            {
                return start;
            }

            equals++;
        }

        return -1;
    }

    private static bool IsNameByte(byte value) =>
        value is (>= (byte)'a' and <= (byte)'z') or (>= (byte)'A' and <= (byte)'Z') or (>= (byte)'0' and <= (byte)'9')
            or (byte)'_';

    private void Add(TraceField field)
    {
        if (_count < FieldsMax)
        {
            _fields[_count++] = field;
        }
    }

    private TraceField[] Taken() => _fields.AsSpan(0, _count).ToArray();
}
