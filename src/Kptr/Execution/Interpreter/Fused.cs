using System.Runtime.CompilerServices;

namespace Kptr.Execution;

/// <summary>
/// What common sequences do, in one handler each. The first instruction's operands are First, then Second, Third.
/// </summary>
/// <remarks>Every register is written that the sequence writes, and a stop names the slot it happened at.</remarks>
internal static unsafe class Fused
{
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>Two operations on one register, whose value stays in the host's register between them.</summary>
    [MethodImpl(Hot)]
    internal static Op* Chain<TA, TSrcA, TB, TSrcB>(Op* op, Machine* m)
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
    {
        var dst = Reg(m, op->Dst);
        *dst = TB.Apply(TA.Apply(*dst, TSrcA.First(op, m)), TSrcB.Second(op, m));
        return op + 2;
    }

    /// <summary>A move between registers and two operations on the result.</summary>
    [MethodImpl(Hot)]
    internal static Op* MovChain<TA, TSrcA, TB, TSrcB>(Op* op, Machine* m)
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
    {
        *Reg(m, op->Dst) = TB.Apply(TA.Apply(*Reg(m, op->Src), TSrcA.Second(op, m)), TSrcB.Third(op, m));
        return op + 3;
    }

    /// <summary>Two operations on different registers.</summary>
    [MethodImpl(Hot)]
    internal static Op* Pair<TA, TSrcA, TB, TSrcB>(Op* op, Machine* m)
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
    {
        var dst = Reg(m, op->Dst);
        *dst = TA.Apply(*dst, TSrcA.First(op, m));
        var dst2 = Reg(m, op->Dst2);
        *dst2 = TB.Apply(*dst2, TSrcB.Second(op, m));
        return op + 2;
    }

    /// <summary>An operation and a conditional jump: how loops end.</summary>
    [MethodImpl(Hot)]
    internal static Op* AluJump<TA, TSrcA, TJump, TSrcB, TDir>(Op* op, Machine* m)
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TJump : struct, IJump
        where TSrcB : struct, IOperand
        where TDir : struct, IDirection
    {
        var dst = Reg(m, op->Dst);
        *dst = TA.Apply(*dst, TSrcA.First(op, m));
        return TJump.IsTaken(*Reg(m, op->Dst2), TSrcB.Second(op, m)) ? Handlers.Take<TDir>(op, m) : op + 2;
    }

    /// <summary>Two operations and a conditional jump.</summary>
    [MethodImpl(Hot)]
    internal static Op* AluAluJump<TA, TSrcA, TB, TSrcB, TJump, TSrcJ, TDir>(Op* op, Machine* m)
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
        where TJump : struct, IJump
        where TSrcJ : struct, IOperand
        where TDir : struct, IDirection
    {
        var dst = Reg(m, op->Dst);
        *dst = TA.Apply(*dst, TSrcA.First(op, m));
        var dst2 = Reg(m, op->Dst2);
        *dst2 = TB.Apply(*dst2, TSrcB.Second(op, m));
        return TJump.IsTaken(*Reg(m, op->Dst3), TSrcJ.Third(op, m)) ? Handlers.Take<TDir>(op, m) : op + 3;
    }

    /// <summary>A copy, an operation on it and a conditional jump on the result: how a bit is tested.</summary>
    [MethodImpl(Hot)]
    internal static Op* MovAluJump<TB, TSrcB, TJump, TSrcJ, TDir>(Op* op, Machine* m)
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
        where TJump : struct, IJump
        where TSrcJ : struct, IOperand
        where TDir : struct, IDirection
    {
        var value = TB.Apply(*Reg(m, op->Src), TSrcB.Second(op, m));
        *Reg(m, op->Dst) = value;
        return TJump.IsTaken(value, TSrcJ.Third(op, m)) ? Handlers.Take<TDir>(op, m) : op + 3;
    }

    /// <summary>An operation and a jump that is always taken.</summary>
    [MethodImpl(Hot)]
    internal static Op* AluGoto<TA, TSrcA, TDir>(Op* op, Machine* m)
        where TA : struct, IAlu
        where TSrcA : struct, IOperand
        where TDir : struct, IDirection
    {
        var dst = Reg(m, op->Dst);
        *dst = TA.Apply(*dst, TSrcA.First(op, m));
        return Handlers.Take<TDir>(op, m);
    }

    /// <summary>A conditional jump over one operation: a choice of values, which the host need not predict.</summary>
    [MethodImpl(Hot)]
    internal static Op* Skip<TJump, TSrcJ, TB, TSrcB>(Op* op, Machine* m)
        where TJump : struct, IJump
        where TSrcJ : struct, IOperand
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
    {
        var dst2 = Reg(m, op->Dst2);
        var keep = *dst2;
        var changed = TB.Apply(keep, TSrcB.Second(op, m));
        *dst2 = TJump.IsTaken(*Reg(m, op->Dst), TSrcJ.First(op, m)) ? keep : changed;
        return op + 2;
    }

    /// <summary>A load and a conditional jump.</summary>
    [MethodImpl(Hot)]
    internal static Op* LoadJump<TMem, TJump, TSrcB>(Op* op, Machine* m)
        where TMem : struct, IMem
        where TJump : struct, IJump
        where TSrcB : struct, IOperand
    {
        var address = *Reg(m, op->Src) + (ulong)op->Off;
        if (!Handlers.CanRead<TMem>(m, address))
        {
            return Handlers.Stop(op, m, StopKind.Memory, address);
        }

        *Reg(m, op->Dst) = TMem.Load(address);
        return TJump.IsTaken(*Reg(m, op->Dst2), TSrcB.Second(op, m)) ? op->Target : op + 2;
    }

    /// <summary>A load and an operation.</summary>
    [MethodImpl(Hot)]
    internal static Op* LoadAlu<TMem, TB, TSrcB>(Op* op, Machine* m)
        where TMem : struct, IMem
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
    {
        var address = *Reg(m, op->Src) + (ulong)op->Off;
        if (!Handlers.CanRead<TMem>(m, address))
        {
            return Handlers.Stop(op, m, StopKind.Memory, address);
        }

        *Reg(m, op->Dst) = TMem.Load(address);
        var dst2 = Reg(m, op->Dst2);
        *dst2 = TB.Apply(*dst2, TSrcB.Second(op, m));
        return op + 2;
    }

    /// <summary>A store and an operation.</summary>
    [MethodImpl(Hot)]
    internal static Op* StoreAlu<TMem, TB, TSrcB>(Op* op, Machine* m)
        where TMem : struct, IMem
        where TB : struct, IAlu
        where TSrcB : struct, IOperand
    {
        var address = *Reg(m, op->Dst) + (ulong)op->Off;
        if (!Handlers.CanWrite<TMem>(m, address))
        {
            return Handlers.Stop(op, m, StopKind.Memory, address);
        }

        TMem.Store(address, *Reg(m, op->Src));
        var dst2 = Reg(m, op->Dst2);
        *dst2 = TB.Apply(*dst2, TSrcB.Second(op, m));
        return op + 2;
    }

    /// <summary><c>d = s; d += t; d = *(d + off)</c>: an element of an array.</summary>
    [MethodImpl(Hot)]
    internal static Op* IndexLoad<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var sum = *Reg(m, op->Src) + *Reg(m, op->Src2);
        return LoadAt<TMem>(op, m, sum, op + 3);
    }

    /// <summary><c>d = s; d += imm; d += t; d = *(d + off)</c>: an element of an array on the stack.</summary>
    [MethodImpl(Hot)]
    internal static Op* BaseIndexLoad<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var sum = *Reg(m, op->Src) + op->Imm + *Reg(m, op->Src2);
        return LoadAt<TMem>(op, m, sum, op + 4);
    }

    /// <summary><c>d = s; d += imm; d += t; *(d + off) = v</c>.</summary>
    [MethodImpl(Hot)]
    internal static Op* BaseIndexStore<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var sum = *Reg(m, op->Src) + op->Imm + *Reg(m, op->Src2);
        *Reg(m, op->Dst) = sum;
        var address = sum + (ulong)op->Off;
        if (!Handlers.CanWrite<TMem>(m, address))
        {
            return Handlers.Stop(op, m, StopKind.Memory, address);
        }

        TMem.Store(address, *Reg(m, op->Src3));
        return op + 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Op* LoadAt<TMem>(Op* op, Machine* m, ulong sum, Op* next)
        where TMem : struct, IMem
    {
        var address = sum + (ulong)op->Off;
        if (!Handlers.CanRead<TMem>(m, address))
        {
            *Reg(m, op->Dst) = sum;
            return Handlers.Stop(op, m, StopKind.Memory, address);
        }

        *Reg(m, op->Dst) = TMem.Load(address);
        return next;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong* Reg(Machine* m, ushort byteOff) => (ulong*)((byte*)m + byteOff);
}
