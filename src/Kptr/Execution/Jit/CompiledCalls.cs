using System.Runtime.CompilerServices;
using Kptr.Isa;
using Kptr.Maps;

namespace Kptr.Execution;

/// <summary>What compiled code calls. Each answers whether the function goes on; if not, it returns at once.</summary>
/// <remarks>Arguments and results that are registers go through <see cref="Machine.Regs"/>.</remarks>
internal static unsafe class CompiledCalls
{
    /// <summary>Opens the frame of a call within the program.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Enter(ProgRun run, Machine* m, int idx, int cost)
    {
        if (m->Depth >= Machine.FramesMax - 1)
        {
            return run.Answer(StopKind.Depth, idx, 0);
        }

        if ((m->Fuel -= cost) < 0 && !run.Answer(StopKind.Fuel, idx, 0))
        {
            return false;
        }

        Handlers.PushFrame(m, null, idx);
        return true;
    }

    /// <summary>Closes it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Leave(Machine* m)
    {
        m->Depth--;
        m->StackLow += Machine.StackBytes;
        m->StackLen -= Machine.StackBytes;
    }

    /// <summary>A stop that ends the run, or may: more fuel, a call that leaves the program, a packet load.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Stop(ProgRun run, StopKind kind, int idx) => run.Answer(kind, idx, 0);

    /// <summary>A call that leaves the program.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Call(ProgRun run, int idx) => run.CallFromCode(idx);

    /// <summary>A call that leaves the program, of a body that is known, and that is no tail call or throw.</summary>
    /// <returns>Its <c>r0</c>.</returns>
    /// <remarks>Arguments are in the host's registers where the body is to have them.</remarks>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong Invoke(int idx, ProgRun run, ulong r1, ulong r2, ulong r3, ulong r4, ulong r5) =>
        run.InvokeFromCode(r1, r2, r3, r4, r5, idx);

    /// <summary>The helper that a slot of raw instructions calls.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static RawHelper RawHelperAt(ProgRun run, int idx) => run.RawHelperAt(idx);

    /// <summary>Looks for memory that is in no region known to be live.</summary>
    /// <returns>Where to do the access; 0 where the run is over.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static ulong Find(ProgRun run, ulong address, int idx) => run.Find(address, idx);

    /// <summary>A memory access of an arena that is not within one page that is there.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Access(ProgRun run, ulong address, int idx) => run.Answer(StopKind.Memory, idx, address);

    /// <summary>Where bytes of an arena lie in the host; 0 where the run must see to it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong InArena(ulong address, ulong space, int sizeBytes) =>
        ((ArenaSpace*)space)->Find(address, (uint)sizeBytes);

    /// <summary>Around a load or store that is ordered: a full barrier, as with atomics.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Barrier() => Interlocked.MemoryBarrier();

    /// <summary>An atomic instruction on memory that was checked.</summary>
    /// <returns>What it fetched, where it fetches.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Atomic64(ulong address, ulong src, ulong r0, int imm)
    {
        AtomicOps.Apply64(imm, ref *(ulong*)address, ref src, ref r0);
        return imm == BpfOp.CmpXchg ? r0 : src;
    }

    /// <summary>The same, of four bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Atomic32(ulong address, ulong src, ulong r0, int imm)
    {
        AtomicOps.Apply32(imm, ref *(uint*)address, ref src, ref r0);
        return imm == BpfOp.CmpXchg ? r0 : src;
    }
}
