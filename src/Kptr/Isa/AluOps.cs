using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Kptr.Isa;

/// <summary>
/// What each arithmetic instruction computes: the only definition, for every engine and for the verifier's constants.
/// </summary>
/// <remarks>
/// Division by zero gives zero, modulo by zero leaves the destination; the overflowing signed quotient wraps to itself
/// and its remainder is zero; shift counts are taken modulo the width. RFC 9669 section 4.1; kernel/bpf/core.c (6.12).
/// 32-bit operations work on the low halves, and their result is zero-extended into the register.
/// </remarks>
internal static class AluOps
{
    /// <summary>The result of a 64-bit operation.</summary>
    /// <param name="op">The operation bits, <see cref="BpfOp.Add"/> to <see cref="BpfOp.Arsh"/>.</param>
    /// <param name="dst">The destination before.</param>
    /// <param name="src">The second operand; an immediate is sign-extended before it comes here.</param>
    /// <param name="off">The offset field: 1 makes division and modulo signed, 8, 16 and 32 make
    /// moves sign-extend.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Alu64(int op, ulong dst, ulong src, int off = 0) => op switch
    {
        BpfOp.Add => dst + src,
        BpfOp.Sub => dst - src,
        BpfOp.Mul => dst * src,
        BpfOp.Div => off == 0 ? Div64(dst, src) : (ulong)SDiv64((long)dst, (long)src),
        BpfOp.Mod => off == 0 ? Mod64(dst, src) : (ulong)SMod64((long)dst, (long)src),
        BpfOp.Or => dst | src,
        BpfOp.And => dst & src,
        BpfOp.Xor => dst ^ src,
        BpfOp.Lsh => dst << (int)(src & 63),
        BpfOp.Rsh => dst >> (int)(src & 63),
        BpfOp.Arsh => (ulong)((long)dst >> (int)(src & 63)),
        BpfOp.Neg => 0 - dst,
        BpfOp.Mov => SignExtend(src, off),
        _ => dst,
    };

    /// <summary>The result of a 32-bit operation; the arguments mean what they mean for <see cref="Alu64"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Alu32(int op, uint dst, uint src, int off = 0) => op switch
    {
        BpfOp.Add => dst + src,
        BpfOp.Sub => dst - src,
        BpfOp.Mul => dst * src,
        BpfOp.Div => off == 0 ? Div32(dst, src) : (uint)SDiv32((int)dst, (int)src),
        BpfOp.Mod => off == 0 ? Mod32(dst, src) : (uint)SMod32((int)dst, (int)src),
        BpfOp.Or => dst | src,
        BpfOp.And => dst & src,
        BpfOp.Xor => dst ^ src,
        BpfOp.Lsh => dst << (int)(src & 31),
        BpfOp.Rsh => dst >> (int)(src & 31),
        BpfOp.Arsh => (uint)((int)dst >> (int)(src & 31)),
        BpfOp.Neg => 0 - dst,
        BpfOp.Mov => (uint)SignExtend(src, off),
        _ => dst,
    };

    /// <summary>Unsigned quotient; zero for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Div64(ulong dst, ulong src) => src == 0 ? 0 : dst / src;

    /// <summary>Unsigned remainder; the dividend for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mod64(ulong dst, ulong src) => src == 0 ? dst : dst % src;

    /// <summary>Signed quotient, rounded to zero; zero for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SDiv64(long dst, long src) => src switch { 0 => 0, -1 => unchecked(-dst), _ => dst / src };

    /// <summary>Signed remainder with the dividend's sign; the dividend for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long SMod64(long dst, long src) => src switch { 0 => dst, -1 => 0, _ => dst % src };

    /// <summary>Unsigned 32-bit quotient; zero for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Div32(uint dst, uint src) => src == 0 ? 0 : dst / src;

    /// <summary>Unsigned 32-bit remainder; the dividend for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Mod32(uint dst, uint src) => src == 0 ? dst : dst % src;

    /// <summary>Signed 32-bit quotient, rounded to zero; zero for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SDiv32(int dst, int src) => src switch { 0 => 0, -1 => unchecked(-dst), _ => dst / src };

    /// <summary>Signed 32-bit remainder with the dividend's sign; the dividend for a zero divisor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int SMod32(int dst, int src) => src switch { 0 => dst, -1 => 0, _ => dst % src };

    /// <summary>The low <paramref name="bits"/> bits with their sign carried up; 0 takes the value as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value, int bits) => bits switch
    {
        8 => (ulong)(sbyte)value,
        16 => (ulong)(short)value,
        32 => (ulong)(int)value,
        _ => value,
    };

    /// <summary>
    /// A byte-order instruction's result: the low <paramref name="bits"/> bits, reordered, the rest zero.
    /// </summary>
    /// <param name="opcode">The whole opcode: class and source bit tell <c>le</c>, <c>be</c> and
    /// <c>bswap</c> apart.</param>
    /// <param name="value">The register before.</param>
    /// <param name="bits">16, 32 or 64.</param>
    /// <remarks>The machine is little-endian, as <c>bpfel</c> programs expect, whatever the host is.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong End(byte opcode, ulong value, int bits)
    {
        var swap = (opcode & 7) == (int)InsnClass.Alu64 || (opcode & BpfOp.X) != 0;
        return bits switch
        {
            16 => swap ? BinaryPrimitives.ReverseEndianness((ushort)value) : (ushort)value,
            32 => swap ? BinaryPrimitives.ReverseEndianness((uint)value) : (uint)value,
            _ => swap ? BinaryPrimitives.ReverseEndianness(value) : value,
        };
    }

    /// <summary>Converts between address spaces: the identity, since this machine has one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AddrSpaceCast(ulong value) => value;
}
