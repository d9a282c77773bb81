using System.Runtime.CompilerServices;

namespace Kptr.Isa;

/// <summary>
/// When each conditional jump is taken: the only definition, for every engine and for the verifier's constants.
/// </summary>
/// <remarks>
/// RFC 9669 section 4.3; <see cref="BpfOp.Jcond"/> (<c>may_goto</c>) depends on the machine and is not here.
/// </remarks>
internal static class JumpOps
{
    /// <summary>Whether a 64-bit conditional jump is taken.</summary>
    /// <param name="op">The operation bits, <see cref="BpfOp.Jeq"/> to <see cref="BpfOp.Jsle"/>.</param>
    /// <param name="dst">The first operand.</param>
    /// <param name="src">The second operand; an immediate is sign-extended before it comes here.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsTaken64(int op, ulong dst, ulong src) => op switch
    {
        BpfOp.Jeq => dst == src,
        BpfOp.Jne => dst != src,
        BpfOp.Jgt => dst > src,
        BpfOp.Jge => dst >= src,
        BpfOp.Jlt => dst < src,
        BpfOp.Jle => dst <= src,
        BpfOp.Jset => (dst & src) != 0,
        BpfOp.Jsgt => (long)dst > (long)src,
        BpfOp.Jsge => (long)dst >= (long)src,
        BpfOp.Jslt => (long)dst < (long)src,
        BpfOp.Jsle => (long)dst <= (long)src,
        _ => false,
    };

    /// <summary>Whether a 32-bit conditional jump is taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsTaken32(int op, uint dst, uint src) => op switch
    {
        BpfOp.Jeq => dst == src,
        BpfOp.Jne => dst != src,
        BpfOp.Jgt => dst > src,
        BpfOp.Jge => dst >= src,
        BpfOp.Jlt => dst < src,
        BpfOp.Jle => dst <= src,
        BpfOp.Jset => (dst & src) != 0,
        BpfOp.Jsgt => (int)dst > (int)src,
        BpfOp.Jsge => (int)dst >= (int)src,
        BpfOp.Jslt => (int)dst < (int)src,
        BpfOp.Jsle => (int)dst <= (int)src,
        _ => false,
    };

    /// <summary>Whether the operation bits name a conditional jump with two operands.</summary>
    public static bool IsConditional(int op) => op is >= BpfOp.Jeq and <= BpfOp.Jsge or >= BpfOp.Jlt and <= BpfOp.Jsle;
}
