using Kptr.Btf;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>One function of the program (<c>struct bpf_subprog_info</c> and its BTF).</summary>
internal sealed class SubprogInfo
{
    public int Start;

    /// <summary>One past its last instruction.</summary>
    public int End;
    public int StackDepth;

    /// <summary>Instructions processed when it was explored as if called by anyone.</summary>
    public int InsnsProcessed;

    public bool HasTailCall;
    public bool TailCallReachable;
    public bool HasLdAbs;
    public bool IsCallback;
    public bool IsAsyncCallback;
    public bool IsExceptionCallback;
    public bool ChangesPktData;
    public bool MightSleep;
    public bool MightThrow;
    public bool ReturnsVoid;

    /// <summary>
    /// The subprogram was called by another that was reached (global functions are verified only then).
    /// </summary>
    public bool Called;
    public bool Verified;

    /// <summary>The BTF function type id in the program's BTF; 0 where unknown.</summary>
    public int FuncTypeId;
    public string Name = "";
    public bool IsGlobal;

    /// <summary>
    /// Its BTF does not describe its code well (static functions after optimisation): trust nothing of it.
    /// </summary>
    public bool Unreliable;
    public bool ArgsCached;
    public SubprogArg[] Args = [];
}

/// <summary>What a global function expects in one argument (<c>struct bpf_subprog_arg_info</c>).</summary>
/// <param name="Kind">What kind of argument.</param>
/// <param name="Flags">Register type flags such as <see cref="RegType.MaybeNull"/>.</param>
/// <param name="MemSize">Size of memory arguments.</param>
/// <param name="Btf">BTF of typed pointers.</param>
/// <param name="BtfId">Type of typed pointers.</param>
internal readonly record struct SubprogArg(SubprogArgKind Kind, RegType Flags, int MemSize, BtfSpec? Btf, int BtfId);

/// <summary>Kinds of argument of a global function.</summary>
internal enum SubprogArgKind
{
    DontCare,
    Anything,
    PtrToCtx,
    PtrToMem,
    PtrToArena,
    PtrToDynptr,
    PtrToBtfId,
}
