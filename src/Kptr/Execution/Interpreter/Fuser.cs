using System.Collections.Immutable;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>Replaces common sequences in loops by one op each.</summary>
internal static unsafe class Fuser
{
    /// <summary>Fuses in place; every slot keeps an op that does at least its own work.</summary>
    internal static void Fuse(Op* ops, ImmutableArray<BpfInsn> insns)
    {
    }
}
