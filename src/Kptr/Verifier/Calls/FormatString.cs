namespace Kptr.Verifier;

/// <summary>Format strings of the kernel's BPF printing helpers.</summary>
/// <remarks>Kernel: <c>bpf_bprintf_prepare</c> (kernel/bpf/helpers.c, 6.12).</remarks>
internal static class FormatString
{
    /// <summary>Whether every conversion is known and there are no more of them than arguments.</summary>
    public static bool IsValid(string format, int argCount)
    {
        var used = 0;
        for (var i = 0; i < format.Length; i++)
        {
            var c = format[i];
            if (c < 128 && char.IsControl(c) && !IsSpace(c))
            {
                return false;
            }

            if (c != '%')
            {
                continue;
            }

            if (At(format, i + 1) == '%')
            {
                i++;
                continue;
            }

            if (used++ >= argCount || !TrySkipConversion(format, ref i))
            {
                return false;
            }
        }

        return true;
    }

    private static char At(string s, int i) => i < s.Length ? s[i] : '\0';

    private static bool IsSpace(char c) => c is ' ' or (>= '\t' and <= '\r');

    private static bool IsPunct(char c) => c is > ' ' and < '\x7f' && !char.IsAsciiLetterOrDigit(c);

    private static bool EndsHere(char next) => next == '\0' || IsSpace(next) || IsPunct(next);

    // Leaves i at the conversion's last character.
    private static bool TrySkipConversion(string format, ref int i)
    {
        i++;
        while (At(format, i) is '0' or '+' or '-' or ' ')
        {
            i++;
        }

        if (At(format, i) is >= '1' and <= '9')
        {
            while (char.IsAsciiDigit(At(format, i)))
            {
                i++;
            }
        }

        switch (At(format, i))
        {
            case 'p':
                return TrySkipPointer(format, ref i);
            case 's':
                return EndsHere(At(format, i + 1));
            case 'c':
                return true;
            case 'l':
                i += At(format, i + 1) == 'l' ? 2 : 1;
                break;
            default:
                break;
        }

        return At(format, i) is 'i' or 'd' or 'u' or 'x' or 'X';
    }

    private static bool TrySkipPointer(string format, ref int i)
    {
        var next = At(format, i + 1);
        if (EndsHere(next))
        {
            return true;
        }

        if (next is 'k' or 'u' && At(format, i + 2) == 's')
        {
            i += 2;
            return EndsHere(At(format, i + 1));
        }

        if (next is 'K' or 'x' or 's' or 'S' or 'B')
        {
            i++;
            return true;
        }

        if (next is not ('i' or 'I') || At(format, i + 2) is not ('4' or '6'))
        {
            return false;
        }

        i += 2;
        return true;
    }
}
