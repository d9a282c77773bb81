using System.Numerics;
using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>Chooses a bucket for a key.</summary>
/// <remarks>
/// Keys of 4 and 8 bytes keep their low bits, stirred with what lies above them: dense keys (pids, indexes) then never
/// collide, which is worth a mispredicted branch a lookup, and strided ones spread. Everything else is folded with
/// 64 by 64 bit multiplications. The kernel seeds <c>jhash</c> against hostile keys; a model has none.
/// </remarks>
internal static class KeyHash
{
    private const ulong Stir = 0x9E3779B97F4A7C15;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Of4(uint key, int bits) => key ^ (uint)(((key >> bits) * Stir) >> 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Of8(ulong key, int bits) => (uint)(key ^ (((key >> bits) * Stir) >> 32));

    internal static uint Of(ReadOnlySpan<byte> key, int bits)
    {
        switch (key.Length)
        {
            case 4:
                return Of4(Unsafe.ReadUnaligned<uint>(in key[0]), bits);
            case 8:
                return Of8(Unsafe.ReadUnaligned<ulong>(in key[0]), bits);
        }

        var hash = (ulong)key.Length * Stir;
        for (; key.Length >= 8; key = key[8..])
        {
            hash = Fold(hash ^ Unsafe.ReadUnaligned<ulong>(in key[0]));
        }

        ulong tail = 0;
        for (var i = 0; i < key.Length; i++)
        {
            tail |= (ulong)key[i] << (8 * i);
        }

        hash = Fold(hash ^ tail);
        return (uint)(hash ^ (hash >> 32));
    }

    private static ulong Fold(ulong x)
    {
        var high = Math.BigMul(x ^ BitOperations.RotateLeft(Stir, 17), Stir, out var low);
        return high ^ low;
    }
}
