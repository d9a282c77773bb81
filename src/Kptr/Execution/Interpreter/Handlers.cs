using System.Runtime.CompilerServices;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// What single instructions do. Each handler is a small method compiled for its operation, called through the op.
/// </summary>
/// <remarks>
/// No handler throws, allocates or calls managed code beyond Isa's: everything else leaves the loop with a stop.
/// </remarks>
internal static unsafe partial class Handlers
{
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>Runs until an op leaves the loop.</summary>
    [MethodImpl(Hot)]
    internal static void Loop(Op* op, Machine* m)
    {
        do
        {
            op = op->Run(op, m);
        }
        while (op != null);
    }

    [MethodImpl(Hot)]
    internal static Op* Alu<TAlu, TSrc>(Op* op, Machine* m)
        where TAlu : struct, IAlu
        where TSrc : struct, IOperand
    {
        var dst = (ulong*)((byte*)m + op->Dst);
        *dst = TAlu.Apply(*dst, TSrc.First(op, m));
        return op + 1;
    }

    [MethodImpl(Hot)]
    internal static Op* Imm64(Op* op, Machine* m)
    {
        *(ulong*)((byte*)m + op->Dst) = op->Imm;
        return op + 2;
    }

    [MethodImpl(Hot)]
    internal static Op* Jump<TJump, TSrc, TDir>(Op* op, Machine* m)
        where TJump : struct, IJump
        where TSrc : struct, IOperand
        where TDir : struct, IDirection =>
        TJump.IsTaken(*(ulong*)((byte*)m + op->Dst), TSrc.First(op, m)) ? Take<TDir>(op, m) : op + 1;

    [MethodImpl(Hot)]
    internal static Op* Always<TDir>(Op* op, Machine* m)
        where TDir : struct, IDirection => Take<TDir>(op, m);

    [MethodImpl(Hot)]
    internal static Op* MayGoto<TDir>(Op* op, Machine* m)
        where TDir : struct, IDirection => --m->MayGotoLeft < 0 ? Take<TDir>(op, m) : op + 1;

    [MethodImpl(Hot)]
    internal static Op* Load<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var address = *(ulong*)((byte*)m + op->Src) + (ulong)op->Off;
        if (!CanRead<TMem>(m, address))
        {
            return Stop(op, m, StopKind.Memory, address);
        }

        *(ulong*)((byte*)m + op->Dst) = TMem.Load(address);
        return op + 1;
    }

    [MethodImpl(Hot)]
    internal static Op* Store<TMem, TSrc>(Op* op, Machine* m)
        where TMem : struct, IMem
        where TSrc : struct, IOperand
    {
        var address = *(ulong*)((byte*)m + op->Dst) + (ulong)op->Off;
        if (!CanWrite<TMem>(m, address))
        {
            return Stop(op, m, StopKind.Memory, address);
        }

        TMem.Store(address, TSrc.First(op, m));
        return op + 1;
    }

    /// <summary>A load and the barrier after it.</summary>
    [MethodImpl(Hot)]
    internal static Op* LoadAcquire<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var next = Load<TMem>(op, m);
        Interlocked.MemoryBarrier();
        return next;
    }

    /// <summary>A store and the barrier before it.</summary>
    [MethodImpl(Hot)]
    internal static Op* StoreRelease<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        Interlocked.MemoryBarrier();
        return Store<TMem, FromReg>(op, m);
    }

    [MethodImpl(Hot)]
    internal static Op* Atomic<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var address = *(ulong*)((byte*)m + op->Dst) + (ulong)op->Off;
        if (!CanWrite<TMem>(m, address) || address % SizeBytes<TMem>() != 0)
        {
            return Stop(op, m, StopKind.Memory, address);
        }

        RunAtomic((int)op->Imm, SizeBytes<TMem>() == sizeof(ulong), address, (ulong*)((byte*)m + op->Src), m->Regs);
        return op + 1;
    }

    /// <summary>Does what an atomic instruction does, on memory that was checked.</summary>
    internal static void RunAtomic(int imm, bool is64, ulong address, ulong* src, ulong* r0)
    {
        if (is64)
        {
            AtomicOps.Apply64(imm, ref *(ulong*)address, ref *src, ref *r0);
        }
        else
        {
            AtomicOps.Apply32(imm, ref *(uint*)address, ref *src, ref *r0);
        }
    }

    /// <summary>A call within the program.</summary>
    [MethodImpl(Hot)]
    internal static Op* CallLocal(Op* op, Machine* m)
    {
        if (m->Depth >= Machine.FramesMax - 1)
        {
            return Stop(op, m, StopKind.Depth, 0);
        }

        if ((m->Fuel -= op->Cost) < 0)
        {
            return Stop(op, m, StopKind.Fuel, 0);
        }

        PushFrame(m, op + 1, op->Idx);
        return op->Target;
    }

    [MethodImpl(Hot)]
    internal static Op* Exit(Op* op, Machine* m)
    {
        if (m->Depth == m->BaseDepth)
        {
            return Stop(op, m, StopKind.Return, 0);
        }

        return PopFrame(m);
    }

    internal static Op* CallOut(Op* op, Machine* m) => Stop(op, m, StopKind.Call, 0);

    internal static Op* Packet(Op* op, Machine* m) => Stop(op, m, StopKind.Packet, 0);

    internal static Op* BadInsn(Op* op, Machine* m) => Stop(op, m, StopKind.BadInsn, 0);

    internal static Op* BadTarget(Op* op, Machine* m) => Stop(op, m, StopKind.BadTarget, 0);

    internal static void PushFrame(Machine* m, Op* back, int callIdx)
    {
        ref var frame = ref m->Frames[m->Depth++];
        frame.Saved[0] = m->Regs[6];
        frame.Saved[1] = m->Regs[7];
        frame.Saved[2] = m->Regs[8];
        frame.Saved[3] = m->Regs[9];
        frame.Return = back;
        frame.CallIdx = callIdx;
        frame.MayGotoLeft = m->MayGotoLeft;
        m->MayGotoLeft = Machine.MayGotoMax;
        m->Regs[10] = m->StackLow;
        m->StackLow -= Machine.StackBytes;
        m->StackLen += Machine.StackBytes;
        m->StackDeepest = Math.Min(m->StackDeepest, m->StackLow);
    }

    internal static Op* PopFrame(Machine* m)
    {
        ref var frame = ref m->Frames[--m->Depth];
        m->Regs[6] = frame.Saved[0];
        m->Regs[7] = frame.Saved[1];
        m->Regs[8] = frame.Saved[2];
        m->Regs[9] = frame.Saved[3];
        m->MayGotoLeft = frame.MayGotoLeft;
        m->StackLow += Machine.StackBytes;
        m->StackLen -= Machine.StackBytes;
        m->Regs[10] = m->StackLow + Machine.StackBytes;
        return frame.Return;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint SizeBytes<TMem>()
        where TMem : struct, IMem => 1u << TMem.SizeLog;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool CanRead<TMem>(Machine* m, ulong address)
        where TMem : struct, IMem =>
        address - m->StackLow <= m->StackLen - SizeBytes<TMem>()
        || address - m->Read.Low <= m->Read.Last[TMem.SizeLog];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool CanWrite<TMem>(Machine* m, ulong address)
        where TMem : struct, IMem =>
        address - m->StackLow <= m->StackLen - SizeBytes<TMem>()
        || address - m->Write.Low <= m->Write.Last[TMem.SizeLog];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Op* Take<TDir>(Op* op, Machine* m)
        where TDir : struct, IDirection
    {
        if (TDir.IsBack && (m->Fuel -= op->Cost) < 0)
        {
            return Stop(op, m, StopKind.Fuel, 0);
        }

        return op->Target;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static Op* Stop(Op* op, Machine* m, StopKind kind, ulong address)
    {
        m->Stop = kind;
        m->StopIdx = op->Idx;
        m->StopAddress = address;
        return null;
    }
}
