using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Text helpers. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
internal static class StringHelpers
{
    private const ulong BaseMask = 0x1f;

    [Helper(HelperId.Strncmp)]
    internal static int Strncmp(ProgContext ctx, ulong left, uint size, ulong right)
    {
        for (var i = 0u; i < size; i++)
        {
            var (a, b) = (ctx.Read<byte>(left + i), ctx.Read<byte>(right + i));
            if (a != b)
            {
                return a < b ? -1 : 1;
            }

            if (a == 0)
            {
                return 0;
            }
        }

        return 0;
    }

    [Helper(HelperId.Strtol)]
    internal static int Strtol(ProgContext ctx, ulong buffer, ulong length, ulong flags, ulong result)
    {
        var used = Parse(ctx.Memory(buffer, (int)length, isWrite: false), flags, out var isNegative, out var value);
        if (used < 0)
        {
            return used;
        }

        if (value > (isNegative ? 1UL << 63 : long.MaxValue))
        {
            return (int)Errno.ERANGE;
        }

        ctx.Write(result, isNegative ? unchecked(-(long)value) : (long)value);
        return used;
    }

    [Helper(HelperId.Strtoul)]
    internal static int Strtoul(ProgContext ctx, ulong buffer, ulong length, ulong flags, ulong result)
    {
        var used = Parse(ctx.Memory(buffer, (int)length, isWrite: false), flags, out var isNegative, out var value);
        if (used < 0 || isNegative)
        {
            return used < 0 ? used : (int)Errno.EINVAL;
        }

        ctx.Write(result, value);
        return used;
    }

    /// <summary>Reads blanks, a minus, a base prefix and digits.</summary>
    /// <returns>Characters used, or an <see cref="Errno"/>.</returns>
    private static int Parse(ReadOnlySpan<byte> text, ulong flags, out bool isNegative, out ulong value)
    {
        isNegative = false;
        value = 0;
        var radix = (uint)(flags & BaseMask);
        if (text.IsEmpty || (radix is not (0 or 8 or 10 or 16)) || (flags & ~BaseMask) != 0)
        {
            return (int)Errno.EINVAL;
        }

        var at = 0;
        while (at < text.Length && text[at] is (byte)' ' or >= 9 and <= 13)
        {
            at++;
        }

        if (at < text.Length && text[at] == '-')
        {
            isNegative = true;
            at++;
        }

        at += SkipPrefix(text[at..], ref radix);
        var sum = BigInteger.Zero;
        var start = at;
        for (; at < text.Length && Digit(text[at]) < radix; at++)
        {
            sum = (sum * radix) + Digit(text[at]);
        }

        if (at == start)
        {
            return (int)Errno.EINVAL;
        }

        value = sum <= ulong.MaxValue ? (ulong)sum : 0;
        return sum <= ulong.MaxValue ? at : (int)Errno.ERANGE;
    }

    private static int SkipPrefix(ReadOnlySpan<byte> text, ref uint radix)
    {
        var isHex = text.Length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x' && Digit(text[2]) < 16;
        if (radix == 0)
        {
            radix = isHex ? 16u : text.Length > 0 && text[0] == '0' ? 8u : 10u;
        }

        return isHex && radix == 16 ? 2 : 0;
    }

    private static uint Digit(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - (uint)'0',
        >= (byte)'a' and <= (byte)'f' => c - (uint)'a' + 10,
        >= (byte)'A' and <= (byte)'F' => c - (uint)'A' + 10,
        _ => uint.MaxValue,
    };
}
