using System.Globalization;
using System.Text;

namespace Kptr.Kfuncs;

/// <summary>The format strings of BPF programs: a part of the kernel's <c>printf</c>.</summary>
/// <remarks>
/// <c>%d %i %u %x %X</c> with <c>l</c> or <c>ll</c>, <c>%c %s %p %px %pK %pks %pus %pI4 %pi4 %pI6 %pi6</c>, width,
/// <c>0</c>, <c>-</c>, <c>+</c> and blank. Pointers are printed as they are: the model's addresses are no secret.
/// Kernel: <c>bpf_bprintf_prepare</c> (kernel/bpf/helpers.c, 6.12).
/// </remarks>
internal sealed class BpfFormat
{
    private const int StringMax = 512;
    private readonly ProgContext _ctx;
    private readonly byte[] _format;
    private readonly ulong[] _args;
    private readonly StringBuilder _text = new();
    private int _at;
    private int _next;

    private BpfFormat(ProgContext ctx, byte[] format, ulong[] args)
    {
        _ctx = ctx;
        _format = format;
        _args = args;
    }

    /// <summary>
    /// Formats; false, and nothing is printed, for a format that the kernel refuses (<c>-EINVAL</c>).
    /// </summary>
    internal static bool TryFormat(
        ProgContext ctx, ReadOnlySpan<byte> format, ReadOnlySpan<ulong> args, out string text)
    {
        var end = format.IndexOf((byte)0);
        var run = new BpfFormat(ctx, format[..Math.Max(end, 0)].ToArray(), args.ToArray());
        var isFormatted = end >= 0 && run.Run();
        text = isFormatted ? run._text.ToString() : "";
        return isFormatted;
    }

    private bool Run()
    {
        while (_at < _format.Length)
        {
            var c = _format[_at++];
            if (c is < 0x20 and not (>= 9 and <= 13) or 0x7f)
            {
                return false;
            }

            if (c != '%')
            {
                _text.Append((char)c);
            }
            else if (Peek() == '%')
            {
                _at++;
                _text.Append('%');
            }
            else if (_next >= _args.Length || !Spec())
            {
                return false;
            }
        }

        return true;
    }

    private bool Spec()
    {
        var flags = TakeWhile(static c => c is '0' or '+' or '-' or ' ');
        var width = 0;
        if (Peek() is >= '1' and <= '9'
            && !int.TryParse(TakeWhile(char.IsAsciiDigit), CultureInfo.InvariantCulture, out width))
        {
            return false;
        }

        var arg = _args[_next++];
        var body = Peek() switch
        {
            'p' => Pointer(arg),
            's' => Take("s") && IsSpecEnd() ? StringAt(arg) : null,
            'c' => Take("c") ? ((char)(byte)arg).ToString() : null,
            _ => Number(arg, flags),
        };
        if (body is null || width > StringMax)
        {
            return false;
        }

        _text.Append(flags.Contains('-', StringComparison.Ordinal)
            ? body.PadRight(width)
            : body.PadLeft(width, Fill(flags)));
        return true;
    }

    private static char Fill(string flags) => flags.Contains('0', StringComparison.Ordinal) ? '0' : ' ';

    private string? Number(ulong arg, string flags)
    {
        var longs = TakeWhile(static c => c == 'l').Length;
        var isLong = longs > 0;
        if (longs > 2 || _at >= _format.Length)
        {
            return null;
        }

        var value = isLong ? (long)arg : (int)arg;
        var unsigned = isLong ? arg : (uint)arg;
        switch ((char)_format[_at++])
        {
            case 'd' or 'i':
                var sign = value < 0 ? "" : flags.Contains('+', StringComparison.Ordinal)
                    ? "+" : flags.Contains(' ', StringComparison.Ordinal) ? " " : "";
                return sign + value.ToString(CultureInfo.InvariantCulture);
            case 'u':
                return unsigned.ToString(CultureInfo.InvariantCulture);
            case 'x':
                return unsigned.ToString("x", CultureInfo.InvariantCulture);
            case 'X':
                return unsigned.ToString("X", CultureInfo.InvariantCulture);
            default:
                return null;
        }
    }

    private string? Pointer(ulong arg)
    {
        _at++;
        if (Take("ks") || Take("us"))
        {
            return IsSpecEnd() ? StringAt(arg) : null;
        }

        if (Take("I4") || Take("i4"))
        {
            return Address(arg, 4, ".", static b => b.ToString(CultureInfo.InvariantCulture), 1);
        }

        if (Take("I6") || Take("i6"))
        {
            return Address(arg, 16, ":", static b => b.ToString("x2", CultureInfo.InvariantCulture), 2);
        }

        return IsSpecEnd() || Take("x") || Take("K") || Take("s") || Take("S")
            ? arg.ToString("x16", CultureInfo.InvariantCulture) : null;
    }

    private string Address(ulong at, int count, string separator, Func<byte, string> show, int group)
    {
        var bytes = _ctx.Callbacks.IsAccessible(at, count, isWrite: false)
            ? _ctx.Memory(at, count, isWrite: false).ToArray()
            : new byte[count];
        return string.Join(separator, bytes.Chunk(group).Select(g => string.Concat(g.Select(show))));
    }

    private string StringAt(ulong at)
    {
        Span<byte> room = stackalloc byte[StringMax];
        var length = ProbeHelpers.CopyString(_ctx, room, at);
        return length <= 1 ? "" : Encoding.UTF8.GetString(room[..(length - 1)]);
    }

    private bool IsSpecEnd() =>
        Peek() is var c && (c == 0 || char.IsWhiteSpace(c) || char.IsPunctuation(c) || char.IsSymbol(c));

    private char Peek() => _at < _format.Length ? (char)_format[_at] : '\0';

    private bool Take(string word)
    {
        if (_at + word.Length > _format.Length || !word.Select((c, i) => _format[_at + i] == c).All(same => same))
        {
            return false;
        }

        _at += word.Length;
        return true;
    }

    private string TakeWhile(Func<char, bool> test)
    {
        var start = _at;
        while (_at < _format.Length && test((char)_format[_at]))
        {
            _at++;
        }

        return Encoding.ASCII.GetString(_format, start, _at - start);
    }
}
