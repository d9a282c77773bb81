namespace Kptr.Isa;

/// <summary>What each atomic instruction does to memory and registers: the only definition.</summary>
/// <remarks>
/// The operation is in the immediate field. Every one is a full barrier here, which is at least what the kernel gives
/// (RFC 9669 section 5.3); so are ordered loads and stores (<c>BPF_LOAD_ACQ</c>, <c>BPF_STORE_REL</c>). 32-bit forms
/// read and write four bytes, and a fetched value is zero-extended.
/// </remarks>
internal static class AtomicOps
{
    /// <summary>Whether the immediate of an atomic instruction names an operation.</summary>
    public static bool IsKnown(int imm) => imm is
        BpfOp.Add or BpfOp.Or or BpfOp.And or BpfOp.Xor
        or (BpfOp.Add | BpfOp.Fetch) or (BpfOp.Or | BpfOp.Fetch) or (BpfOp.And | BpfOp.Fetch)
        or (BpfOp.Xor | BpfOp.Fetch)
        or BpfOp.Xchg or BpfOp.CmpXchg;

    /// <summary>Runs a 64-bit operation.</summary>
    /// <param name="imm">A known operation (<see cref="IsKnown"/>).</param>
    /// <param name="at">The memory.</param>
    /// <param name="src">The source register: operand, and destination of fetched values.</param>
    /// <param name="r0">R0: <c>cmpxchg</c> compares with it and leaves the old value there.</param>
    public static void Apply64(int imm, ref ulong at, ref ulong src, ref ulong r0)
    {
        var old = imm switch
        {
            BpfOp.Xchg => Interlocked.Exchange(ref at, src),
            BpfOp.CmpXchg => Interlocked.CompareExchange(ref at, src, r0),
            _ => (imm & BpfOp.OpMask) switch
            {
                BpfOp.Add => Interlocked.Add(ref at, src) - src,
                BpfOp.Or => Interlocked.Or(ref at, src),
                BpfOp.And => Interlocked.And(ref at, src),
                _ => Xor64(ref at, src),
            },
        };
        Deliver(imm, old, ref src, ref r0);
    }

    /// <summary>Runs a 32-bit operation; the arguments mean what they mean for <see cref="Apply64"/>.</summary>
    public static void Apply32(int imm, ref uint at, ref ulong src, ref ulong r0)
    {
        var operand = (uint)src;
        var old = imm switch
        {
            BpfOp.Xchg => Interlocked.Exchange(ref at, operand),
            BpfOp.CmpXchg => Interlocked.CompareExchange(ref at, operand, (uint)r0),
            _ => (imm & BpfOp.OpMask) switch
            {
                BpfOp.Add => Interlocked.Add(ref at, operand) - operand,
                BpfOp.Or => Interlocked.Or(ref at, operand),
                BpfOp.And => Interlocked.And(ref at, operand),
                _ => Xor32(ref at, operand),
            },
        };
        Deliver(imm, old, ref src, ref r0);
    }

    private static void Deliver(int imm, ulong old, ref ulong src, ref ulong r0)
    {
        if (imm == BpfOp.CmpXchg)
        {
            r0 = old;
        }
        else if ((imm & BpfOp.Fetch) != 0)
        {
            src = old;
        }
    }

    private static ulong Xor64(ref ulong at, ulong operand)
    {
        while (true)
        {
            var old = Volatile.Read(ref at);
            if (Interlocked.CompareExchange(ref at, old ^ operand, old) == old)
            {
                return old;
            }
        }
    }

    private static uint Xor32(ref uint at, uint operand)
    {
        while (true)
        {
            var old = Volatile.Read(ref at);
            if (Interlocked.CompareExchange(ref at, old ^ operand, old) == old)
            {
                return old;
            }
        }
    }
}
