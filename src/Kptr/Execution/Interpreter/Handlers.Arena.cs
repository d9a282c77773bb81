using System.Runtime.CompilerServices;
using Kptr.Maps;

namespace Kptr.Execution;

// Accesses of the arena whose address space is the second immediate of the op: 32 bits of a register and an offset lead
// to a page, or the loop is left.
internal static unsafe partial class Handlers
{
    [MethodImpl(Hot)]
    internal static Op* ArenaLoad<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var address = ArenaAddress(op, m, op->Src);
        var host = ((ArenaSpace*)op->Imm2)->Find(address, SizeBytes<TMem>());
        if (host == 0)
        {
            return Stop(op, m, StopKind.Memory, address);
        }

        *(ulong*)((byte*)m + op->Dst) = TMem.Load(host);
        return op + 1;
    }

    [MethodImpl(Hot)]
    internal static Op* ArenaStore<TMem, TSrc>(Op* op, Machine* m)
        where TMem : struct, IMem
        where TSrc : struct, IOperand
    {
        var address = ArenaAddress(op, m, op->Dst);
        var host = ((ArenaSpace*)op->Imm2)->Find(address, SizeBytes<TMem>());
        if (host == 0)
        {
            return Stop(op, m, StopKind.Memory, address);
        }

        TMem.Store(host, TSrc.First(op, m));
        return op + 1;
    }

    [MethodImpl(Hot)]
    internal static Op* ArenaAtomic<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var address = ArenaAddress(op, m, op->Dst);
        var host = ((ArenaSpace*)op->Imm2)->Find(address, SizeBytes<TMem>());
        if (host == 0 || host % SizeBytes<TMem>() != 0)
        {
            return Stop(op, m, StopKind.Memory, address);
        }

        RunAtomic((int)op->Imm, SizeBytes<TMem>() == sizeof(ulong), host, (ulong*)((byte*)m + op->Src), m->Regs);
        return op + 1;
    }

    /// <summary>A load and the barrier after it.</summary>
    [MethodImpl(Hot)]
    internal static Op* ArenaLoadAcquire<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        var next = ArenaLoad<TMem>(op, m);
        Interlocked.MemoryBarrier();
        return next;
    }

    /// <summary>A store and the barrier before it.</summary>
    [MethodImpl(Hot)]
    internal static Op* ArenaStoreRelease<TMem>(Op* op, Machine* m)
        where TMem : struct, IMem
    {
        Interlocked.MemoryBarrier();
        return ArenaStore<TMem, FromReg>(op, m);
    }

    /// <summary>A program's pointer as user space's: null stays null.</summary>
    [MethodImpl(Hot)]
    internal static Op* UserCast(Op* op, Machine* m)
    {
        var low = (ulong)*(uint*)((byte*)m + op->Src);
        *(ulong*)((byte*)m + op->Dst) = low == 0 ? 0 : op->Imm | low;
        return op + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong ArenaAddress(Op* op, Machine* m, ushort reg) =>
        *(uint*)((byte*)m + reg) + (ulong)op->Off;
}
