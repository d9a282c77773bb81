using Kptr.Isa;

namespace Kptr.Verifier.Scalars;

/// <summary>
/// How a kernel computes with ranges of numbers: all that verifiers of different kernels do differently. What has a
/// body here is what kernels do that know a range by its ends.
/// </summary>
/// <remarks>
/// Law, for every operation: a result that the instruction can give is in the range it leaves. Operands do not alias.
/// </remarks>
internal abstract class ScalarRules
{
    /// <summary>Lets every view learn from the others. Kernel: <c>reg_bounds_sync</c>.</summary>
    public abstract void Sync(ref ScalarRange r);

    /// <summary>Adds to all ranges, without a sync and without the bits.</summary>
    public virtual void AddRanges(ref ScalarRange dst, in ScalarRange src) => ScalarSums.AddRanges(ref dst, src);

    /// <summary>A pointer's ranges after it moved up; only those of all 64 bits are known.</summary>
    public virtual void MoveUp(ref ScalarRange dst, in ScalarRange ptr, in ScalarRange off) =>
        ScalarSums.AddWide(ref dst, ptr, off);

    /// <summary>The same after it moved down.</summary>
    public virtual void MoveDown(ref ScalarRange dst, in ScalarRange ptr, in ScalarRange off) =>
        ScalarSums.SubWide(ref dst, ptr, off);

    /// <summary>Computes <c>dst = dst op src</c>.</summary>
    /// <param name="op">The operation bits of the opcode.</param>
    /// <param name="isSigned">Whether a division is signed.</param>
    /// <param name="is32">Whether the low halves are operands, and the result zero-extended.</param>
    /// <param name="dst">First operand and result.</param>
    /// <param name="src">Second operand.</param>
    /// <returns>False where the result is unknown.</returns>
    public abstract bool Apply(byte op, bool isSigned, bool is32, ref ScalarRange dst, in ScalarRange src);

    /// <summary>What <c>neg</c> and the byte-order instructions make of a number.</summary>
    /// <returns>False where the result is unknown.</returns>
    public virtual bool NegateOrSwap(in BpfInsn insn, ref ScalarRange r) => false;

    /// <summary>Whether <c>if (a op b)</c> is always (true), never (false) or sometimes (null) taken.</summary>
    /// <param name="op">The operation bits of the jump.</param>
    /// <param name="a">Left operand.</param>
    /// <param name="b">Right operand.</param>
    /// <param name="is32">Whether only the low halves are compared.</param>
    /// <param name="isSame">Whether both are one register.</param>
    public abstract bool? Predict(byte op, in ScalarRange a, in ScalarRange b, bool is32, bool isSame);

    /// <summary>Keeps of two numbers what is possible on the branch taken and on the other.</summary>
    public abstract void Refine(
        byte op,
        bool is32,
        ref ScalarRange taken,
        ref ScalarRange takenSrc,
        ref ScalarRange other,
        ref ScalarRange src);

    /// <summary>What a load of fewer than 8 bytes leaves. Kernel: <c>coerce_reg_to_size</c>.</summary>
    public abstract void Truncate(ref ScalarRange r, int sizeBytes);

    /// <summary>The low half, zero-extended; without a sync. Kernel: <c>zext_32_to_64</c>.</summary>
    public virtual void ZeroExtend32(ref ScalarRange r) => r.ZeroExtend32();

    /// <summary>Keeps only numbers in this range, read as s32 extended to s64.</summary>
    /// <remarks>Kernel: <c>__mark_reg_s32_range</c>.</remarks>
    public virtual void ClampS32(ref ScalarRange r, int min, int max) => r.ClampS32(min, max);

    /// <summary>Sets the signed ranges of both widths, and syncs.</summary>
    public virtual void SetSigned(ref ScalarRange r, long min, long max)
    {
        (r.SMin, r.SMax) = (min, max);
        (r.S32Min, r.S32Max) = ((int)min, (int)max);
        Sync(ref r);
    }

    /// <summary>The range in the kernel's words, where it contradicts itself.</summary>
    public virtual string Describe(in ScalarRange r) =>
        $"u64=[{Hex(r.UMin)}, {Hex(r.UMax)}] s64=[{Hex((ulong)r.SMin)}, {Hex((ulong)r.SMax)}] "
        + $"u32=[{Hex(r.U32Min)}, {Hex(r.U32Max)}] s32=[{Hex((uint)r.S32Min)}, {Hex((uint)r.S32Max)}] "
        + $"var_off=({Hex(r.Bits.Value)}, {Hex(r.Bits.Mask)})";

    /// <summary>The kernel's <c>%#llx</c>: zero has the prefix too, unlike C's.</summary>
    protected static string Hex(ulong value) => $"0x{value:x}";
}
