using System.Collections.Immutable;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>Looks on while a program runs, and may make calls fail.</summary>
internal interface IRunObserver
{
    /// <summary>Called before every instruction, on the thread of the run.</summary>
    /// <param name="at">Where the run is.</param>
    /// <returns>A fault to end the run with, or null.</returns>
    RunFault? Before(in RunPoint at);

    /// <summary>Whether a helper or kfunc is not called at all, but fails.</summary>
    /// <param name="at">Where the run is.</param>
    /// <param name="r0">What it returns then.</param>
    bool TryFail(in RunPoint at, out ulong r0);
}

/// <summary>A place in a run.</summary>
internal readonly ref struct RunPoint(
    ImmutableArray<BpfInsn> insns, int insnIdx, int depth, bool isDeferred, Span<ulong> regs)
{
    /// <summary>The program; after a tail call, that one.</summary>
    internal ImmutableArray<BpfInsn> Insns { get; } = insns;

    /// <summary>The instruction that is next.</summary>
    internal int InsnIdx { get; } = insnIdx;

    /// <summary>Open calls.</summary>
    internal int Depth { get; } = depth;

    /// <summary>Whether this is a callback that runs on its own, such as a timer's.</summary>
    internal bool IsDeferred { get; } = isDeferred;

    /// <summary>The eleven registers; what is written here the program reads.</summary>
    internal Span<ulong> Regs { get; } = regs;
}
