using System.Text;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Maps and constants in helper calls.</content>
internal sealed partial class VerifierRun
{
    private void CheckMapFuncCompatibility(MapSpec? map, HelperId helper)
    {
        if (map is null || (MapCompat.Fits(map.Type, helper) && IsAllowedByOwnType(map, helper)))
        {
            return;
        }

        if (map.Type is BpfMapType.Sockmap or BpfMapType.Sockhash
            && helper is HelperId.MapUpdateElem or HelperId.MapDeleteElem
            && map.Type is BpfMapType.Sockmap or BpfMapType.Sockhash)
        {
            if (MayUpdateSockmap(helper))
            {
                return;
            }

            Log.Line("cannot update sockmap in this context");
        }

        Reject(DiagCode.MapIncompatible,
            $"cannot pass map_type {map.OwnType?.Number ?? (uint)map.Type} into func "
                + $"{HelperTable.NameOf((int)helper)}#{(int)helper}");
    }

    // What works on a field of a value is allowed where values may have the field.
    private static bool IsAllowedByOwnType(MapSpec map, HelperId helper) =>
        map.OwnType is null || map.OwnType.Helpers.Contains(helper)
        || helper is HelperId.KptrXchg or HelperId.TimerInit or HelperId.TimerSetCallback or HelperId.TimerStart
            or HelperId.TimerCancel;

    // Where no socket can be locked already.
    private bool MayUpdateSockmap(HelperId helper) => RunType switch
    {
        ProgType.Tracing => Prog.ExpectedAttachType == AttachType.TraceIter,
        ProgType.SockOps => helper == HelperId.MapDeleteElem,
        ProgType.SocketFilter or ProgType.SchedCls or ProgType.SchedAct or ProgType.Xdp or ProgType.SkReuseport
            or ProgType.FlowDissector or ProgType.SkLookup => true,
        _ => false,
    };

    /// <summary>The format of <c>bpf_snprintf</c> is constant and has as many arguments as it is given.</summary>
    private void CheckSnprintf()
    {
        var bytes = Reg(5).Var.Bits.Value;
        if (bytes % 8 != 0)
        {
            Reject(DiagCode.CallArgInvalid, "bpf_snprintf takes whole words of data", 5);
        }

        var format = ConstBytes(Reg(3));
        var end = format.IndexOf((byte)0);
        if (end < 0 || !FormatString.IsValid(
            Encoding.Latin1.GetString(format[..end]), (int)Math.Min(bytes / 8, int.MaxValue)))
        {
            Reject(DiagCode.CallArgInvalid, "Invalid format string", 3);
        }
    }

    /// <summary>The number that a key on the stack is on every path here, or -1.</summary>
    /// <remarks>Kernel: <c>get_constant_map_key</c>, for the maps that <c>can_elide_value_nullness</c> names.</remarks>
    private long ConstKey(in RegState key, MapSpec map)
    {
        if (!Kernel.Profile.KnowsArrayHits || !BpfCapable || key.Type != RegType.PtrToStack || !key.Var.IsConst
            || map.Type is not (BpfMapType.Array or BpfMapType.PercpuArray)
            || map.Flags.HasFlag(MapFlags.InnerMap) || Options.ProvesAccesses)
        {
            return -1;
        }

        var at = -(key.Off + (int)key.Var.ConstValue) - 1;
        var frame = Cur.FrameOf(key);
        if (at < 0 || at / 8 >= frame.SlotCount)
        {
            return -1;
        }

        ref var slot = ref frame.Stack[at / 8];
        if (BytesOf(slot, at % 8, SlotKind.Zero) >= map.KeySize)
        {
            return 0;
        }

        if (!slot.IsScalarSpill || BytesOf(slot, at % 8, SlotKind.Spill) != map.KeySize || !slot.Spilled.Var.IsConst)
        {
            return -1;
        }

        // What is concluded holds for this number alone.
        _precision.MarkSlot(Cur, InsnIdx, key.Frameno, at / 8);
        return (long)slot.Spilled.Var.ConstValue;
    }

    private static int BytesOf(in StackSlot slot, int from, SlotKind kind)
    {
        var count = 0;
        for (var i = from; i >= 0 && slot[i] == kind; i--)
        {
            count++;
        }

        return count;
    }
}
