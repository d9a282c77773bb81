using Kptr.Btf;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Liveness;

namespace Kptr.Verifier.Callees;

/// <summary>What helpers and kfuncs do with the stack, as their prototypes tell.</summary>
/// <remarks>
/// Kernel: <c>bpf_helper_stack_access_bytes</c>, <c>bpf_kfunc_stack_access_bytes</c>, <c>bpf_get_call_summary</c>
/// (7.2).
/// </remarks>
/// <param name="callees">What the calls name.</param>
/// <param name="insns">The program.</param>
/// <param name="maps">The maps it names, by their numbers among its constants.</param>
internal sealed class StackUses(CallTable callees, BpfInsn[] insns, IReadOnlyList<MapSpec> maps) : ICallUses
{
    private const int DynptrBytes = 16;

    // Where a size is not constant, this bounds what is read.
    private const int StackBytes = Limits.MaxBpfStack;

    /// <inheritdoc/>
    public int ArgCount(in BpfInsn call)
    {
        var known = call.IsKfuncCall
            ? callees.KfuncAt(call) is { Spec: not null } kfunc ? kfunc.Params.Length : -1
            : callees.FindHelper(call.Imm) is { } helper ? helper.Args.Length : -1;
        return known >= 0 ? known : Limits.MaxFuncRegArgs;
    }

    /// <inheritdoc/>
    public StackUse UseOf(ConstantRegs known, int at, int arg) => insns[at].IsKfuncCall
        ? callees.KfuncAt(insns[at]) is { Spec: not null } kfunc ? OfKfunc(kfunc, known, at, arg) : StackUse.Unknown
        : callees.FindHelper(insns[at].Imm) is { } helper ? OfHelper(helper, known, at, arg) : StackUse.Unknown;

    private StackUse OfHelper(HelperSpec helper, ConstantRegs known, int at, int arg)
    {
        var what = helper.Arg(arg);
        var writes = what.Has(ArgKind.Uninit);
        switch (what.Base)
        {
            case ArgKind.MapKey or ArgKind.MapValue:
                return MapBytes(helper, known, at, arg, what.Base == ArgKind.MapKey) is { } bytes
                    ? StackUse.Of(bytes, writes) : StackUse.Unknown;
            case ArgKind.Mem when what.Has(ArgKind.FixedSize):
                return StackUse.Of(what.SizeBytes, writes);
            case ArgKind.Mem when helper.Arg(arg + 1).Base is ArgKind.ConstSize or ArgKind.ConstSizeOrZero:
                return known.TryNumber(at, arg + 2, out var size) ? StackUse.Of(size, writes)
                    : StackUse.Of(writes ? 0 : StackBytes, writes: false);
            case ArgKind.Dynptr:
                return StackUse.Of(DynptrBytes, writes: false);
            case ArgKind.Stack:
                // The callback does what is done, and is looked at itself.
                return StackUse.None;
            default:
                return StackUse.Unknown;
        }
    }

    /// <summary>The size of the key or value of the map that is handed over, or the greatest of all maps'.</summary>
    private long? MapBytes(HelperSpec helper, ConstantRegs known, int at, int arg, bool isKey)
    {
        for (var i = 0; i < arg; i++)
        {
            if (helper.Arg(i).Base == ArgKind.ConstMapPtr && known.TryMap(at, i + 1, out var map))
            {
                return BytesOf(maps[map]);
            }
        }

        var most = 0u;
        foreach (var map in maps)
        {
            for (var each = map; each is not null; each = each.InnerMap)
            {
                most = Math.Max(most, BytesOf(each));
            }
        }

        return most == 0 ? null : most;

        uint BytesOf(MapSpec map) => (uint)(isKey ? map.KeySize : map.ValueSize);
    }

    private static StackUse OfKfunc(KfuncInfo kfunc, ConstantRegs known, int at, int arg)
    {
        if (arg >= kfunc.Params.Length || kfunc.Params[arg] is not { Type.Kind: BtfKind.Ptr } param)
        {
            return StackUse.None;
        }

        var writes = (arg == 0 && kfunc.Has(KfuncFlags.IterNew)) || param.Has(KfuncParamTag.Uninit);
        if (param.PointsTo("bpf_dynptr") || param.PointsTo("bpf_dynptr_kern"))
        {
            return StackUse.Of(DynptrBytes, writes);
        }

        if (arg + 1 < kfunc.Params.Length
            && kfunc.Params[arg + 1].Has(KfuncParamTag.MemSize | KfuncParamTag.ConstMemSize))
        {
            return known.TryNumber(at, arg + 2, out var size) ? StackUse.Of(size, writes)
                : StackUse.Of(StackBytes, writes: false);
        }

        return param.Pointee.Btf.ResolveSize(param.Pointee.Id) is >= 0 and var bytes
            ? StackUse.Of(bytes, writes) : StackUse.Unknown;
    }
}
