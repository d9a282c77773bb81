using System.Numerics;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>The open-coded iterator over the set bits of some words. Kernel: kernel/bpf/helpers.c, 6.12.</summary>
/// <remarks>
/// <c>struct bpf_iter_bits</c>: 8 bytes that are the one word itself or the address of a copy, the number of bits, the
/// current bit.
/// </remarks>
[KfuncSet(KfuncHooks.Common)]
internal static class BitsIterKfuncs
{
    private const int WordsMax = 511;
    private const int BitsPerWord = 64;

    [Kfunc("bpf_iter_bits_new", KfuncFlags.IterNew,
        Prototype = "int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words)")]
    internal static Errno BitsNew(ProgContext ctx, ulong it, ulong words, uint wordCount)
    {
        ctx.Write(it, 0UL);
        ctx.Write(it + 8, 0);
        ctx.Write(it + 12, -1);
        if (words == 0 || wordCount == 0)
        {
            return Errno.EINVAL;
        }

        if (wordCount > WordsMax)
        {
            return Errno.E2BIG;
        }

        var bytes = (int)wordCount * sizeof(ulong);
        if (!ctx.Callbacks.IsAccessible(words, bytes, isWrite: false))
        {
            return Errno.EFAULT;
        }

        if (wordCount == 1)
        {
            ctx.Write(it, ctx.Read<ulong>(words));
        }
        else
        {
            var copy = ctx.Core.Heap.AllocateBlock("bpf_iter_bits", bytes);
            ctx.Memory(words, bytes, isWrite: false).CopyTo(ctx.Memory(copy, bytes));
            ctx.Write(it, copy);
        }

        ctx.Write(it + 8, (int)wordCount * BitsPerWord);
        return Errno.None;
    }

    [Kfunc("bpf_iter_bits_next", KfuncFlags.RetNull | KfuncFlags.IterNext,
        Prototype = "int *bpf_iter_bits_next(struct bpf_iter_bits *it)")]
    internal static ulong BitsNext(ProgContext ctx, ulong it)
    {
        var bitCount = ctx.Read<int>(it + 8);
        var bit = ctx.Read<int>(it + 12);
        if (bitCount == 0 || bit >= bitCount)
        {
            return 0;
        }

        var words = bitCount == BitsPerWord ? it : ctx.Read<ulong>(it);
        bit = NextSetBit(ctx, words, bitCount, bit + 1);
        ctx.Write(it + 12, bit);
        return bit >= bitCount ? 0 : it + 12;
    }

    [Kfunc("bpf_iter_bits_destroy", KfuncFlags.IterDestroy,
        Prototype = "void bpf_iter_bits_destroy(struct bpf_iter_bits *it)")]
    internal static void BitsDestroy(ProgContext ctx, ulong it)
    {
        if (ctx.Read<int>(it + 8) > BitsPerWord && !ctx.Core.Heap.TryFree(ctx.Read<ulong>(it)))
        {
            throw new ProgramFaultException(
                DiagCode.CallMisuse, "bpf_iter_bits_destroy of an iterator that is not open");
        }

        ctx.Write(it + 8, 0);
    }

    private static int NextSetBit(ProgContext ctx, ulong words, int bitCount, int from)
    {
        for (var bit = from; bit < bitCount; bit = (bit / BitsPerWord * BitsPerWord) + BitsPerWord)
        {
            var word = ctx.Read<ulong>(words + ((ulong)(bit / BitsPerWord) * sizeof(ulong))) >> (bit % BitsPerWord);
            if (word != 0)
            {
                return bit + BitOperations.TrailingZeroCount(word);
            }
        }

        return bitCount;
    }
}
