using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>What the arguments of one helper call said, for the checks and effects that follow.</summary>
/// <remarks>Kernel: <c>struct bpf_call_arg_meta</c>. One object, reused for every call.</remarks>
internal sealed class HelperCallMeta
{
    /// <summary>Memory the helper fills.</summary>
    public readonly RawStackArg Raw = new();
    public HelperSpec? Fn;
    public HelperId Id;
    public MapSpec? Map;
    public int MapUid;

    /// <summary>Register whose reference the helper takes over; 0 for none.</summary>
    public int ReleaseRegno;
    public int RefObjId;
    public int DynptrId;
    public int MemSize;
    public BtfField? Kptr;
    public BtfSpec? RetBtf;
    public int RetBtfId;
    public int Subprogno;

    /// <summary>The key, where it is one number known before the program runs; else -1.</summary>
    public long ConstKey;

    /// <summary>Starts a call.</summary>
    public void Reset(HelperSpec? fn)
    {
        Raw.RawMode = false;
        Raw.Regno = Raw.AccessSize = 0;
        Raw.SizeMax = 0;
        Fn = fn;
        Id = fn?.Id ?? HelperId.Unspec;
        Map = null;
        ConstKey = -1;
        Kptr = null;
        RetBtf = null;
        MapUid = ReleaseRegno = RefObjId = DynptrId = MemSize = RetBtfId = Subprogno = 0;
    }
}
