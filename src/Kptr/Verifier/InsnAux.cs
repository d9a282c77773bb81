using Kptr.Btf;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>What the verifier remembers of one instruction over all paths.</summary>
/// <remarks>Kernel: <c>struct bpf_insn_aux_data</c>.</remarks>
internal struct InsnAux
{
    /// <summary>Pointer type of a load or store.</summary>
    public RegType PtrType;

    /// <summary>A load through a pointer that may lead nowhere: on some path, it reads zero where it faults.</summary>
    public bool Probed;

    /// <summary>Of 64-bit arithmetic: it met a pointer into an arena, which has 32 bits.</summary>
    public bool NeedsZext;

    /// <summary>Of <c>lddw</c>: the map; of calls: the one map they were used with.</summary>
    public MapSpec? Map;

    /// <summary>Of map <c>lddw</c>: byte offset into the value.</summary>
    public int MapOff;

    /// <summary>Of typed <c>lddw</c>: what a pointer to the variable is, its BTF and type, or its size.</summary>
    public RegType VarType;
    public BtfSpec? VarBtf;
    public int VarBtfId;
    public int VarSizeBytes;

    /// <summary>Different maps met at this call (<c>poison</c>), or an unprivileged one.</summary>
    public bool MapPoisoned;
    public bool MapUnpriv;
    public bool MapSeen;

    /// <summary>Constant key tracking of <c>tail_call</c> and map lookups.</summary>
    public ulong MapKeyState;

    /// <summary>The record of the object a graph or object kfunc works on.</summary>
    public BtfRecord? StructMeta;
    public long InsertOff;
    public bool Seen;

    /// <summary>On some path it took, or gave back, a reference; for explanations only.</summary>
    public bool Acquires;
    public bool Releases;
    /// <summary>
    /// How an unprivileged program's arithmetic is masked against speculation (<c>alu_state</c>, <c>alu_limit</c>).
    /// </summary>
    public PtrMask Mask;
    public bool SanitizeStackSpill;
    public bool StorageGetFuncAtomic;
    public bool IsIterNext;
    public bool CallWithPercpuAllocPtr;

    /// <summary>Of calls of <c>bpf_loop</c>: whether the loop can stand in place, and the callback first met.</summary>
    public LoopInline Loop;
    public int LoopCallbackSubprog;
}

/// <summary>Whether Linux puts a <c>bpf_loop</c> in place: one callback and no flags on every path.</summary>
internal enum LoopInline : byte
{
    Unseen,
    Fits,
    DoesNot,
}
