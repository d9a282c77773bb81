using Kptr.Btf;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>What the arguments of one kfunc call said. One object, reused for every call.</summary>
/// <remarks>Kernel: <c>struct bpf_kfunc_call_arg_meta</c>.</remarks>
internal sealed class KfuncCallMeta
{
    public KfuncInfo Fn = null!;
    public int RefObjId;
    public int ReleaseRegno;
    public bool R0ReadOnly;
    public long R0Size;
    public int RetBtfId;
    public int Subprogno;
    public bool HasConstant;
    public ulong Constant;

    /// <summary>Type of the local object an argument points to.</summary>
    public BtfSpec? ArgBtf;
    public int ArgBtfId;

    /// <summary>The object's reference is owned, so taking one more cannot fail.</summary>
    public bool ArgOwningRef;

    /// <summary>The list head or tree root an argument points to.</summary>
    public BtfField? Root;
    public DynptrKind DynptrKind;
    public int DynptrId;
    public int DynptrRefObjId;
    public int IterSpi;
    public int IterFrameno;
    public MapSpec? Map;
    public int MapUid;

    /// <summary>Starts a call.</summary>
    public void Reset(KfuncInfo fn)
    {
        Fn = fn;
        R0ReadOnly = HasConstant = ArgOwningRef = false;
        R0Size = 0;
        Constant = 0;
        ArgBtf = null;
        Root = null;
        Map = null;
        DynptrKind = DynptrKind.Invalid;
        RefObjId = ReleaseRegno = RetBtfId = Subprogno = ArgBtfId = DynptrId = DynptrRefObjId = 0;
        IterSpi = IterFrameno = MapUid = 0;
    }

    /// <summary>Whether the kfunc may return null here.</summary>
    public bool MayReturnNull =>
        Fn.Has(KfuncFlags.RetNull) && !(Fn.Special == SpecialKfunc.RefcountAcquire && ArgOwningRef);
}
