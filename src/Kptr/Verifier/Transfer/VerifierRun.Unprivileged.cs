using System.Collections.Frozen;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>What a loader without capabilities may load at all (with <c>unprivileged_bpf_disabled</c> off).</content>
internal sealed partial class VerifierRun
{
    private const int MaxUnprivilegedInsns = 4096;

    /// <summary>Helpers that ask for no capability, in the two kinds of programs there are.</summary>
    private static readonly FrozenSet<HelperId> UnprivilegedHelpers = FrozenSet.Create(
        HelperId.MapLookupElem, HelperId.MapUpdateElem, HelperId.MapDeleteElem, HelperId.MapPushElem,
        HelperId.MapPopElem,
        HelperId.MapPeekElem, HelperId.MapLookupPercpuElem, HelperId.GetPrandomU32, HelperId.GetSmpProcessorId,
        HelperId.GetNumaNodeId, HelperId.TailCall, HelperId.KtimeGetNs, HelperId.KtimeGetBootNs, HelperId.KtimeGetTaiNs,
        HelperId.RingbufOutput, HelperId.RingbufReserve, HelperId.RingbufSubmit, HelperId.RingbufDiscard,
        HelperId.RingbufQuery,
        HelperId.Strncmp, HelperId.Strtol, HelperId.Strtoul, HelperId.GetCurrentPidTgid, HelperId.GetNsCurrentPidTgid,
        HelperId.SkbLoadBytes, HelperId.SkbLoadBytesRelative, HelperId.GetSocketCookie, HelperId.GetSocketUid,
        HelperId.PerfEventOutput,
        HelperId.GetLocalStorage, HelperId.SkFullsock, HelperId.TcpSock, HelperId.SkbCgroupId,
        HelperId.SkbAncestorCgroupId,
        HelperId.SkLookupTcp, HelperId.SkLookupUdp, HelperId.SkcLookupTcp, HelperId.SkRelease, HelperId.GetListenerSock,
        HelperId.SkStorageGet, HelperId.SkStorageDelete);

    private void CheckUnprivilegedProg()
    {
        if (Prog.Type is not (ProgType.SocketFilter or ProgType.CgroupSkb))
        {
            Reject(
                DiagCode.PrivilegeMissing,
                $"programs of type {Prog.Type} are for CAP_BPF, and most for CAP_PERFMON or CAP_NET_ADMIN",
                errno: Errno.EPERM);
        }

        if (Insns.Length > MaxUnprivilegedInsns)
        {
            Reject(DiagCode.ComplexityExceeded, $"program has {Insns.Length} instructions", errno: Errno.E2BIG);
        }
    }

    /// <summary>Who may not load this map may not load a program that uses it.</summary>
    private void CheckUnprivilegedMap(MapSpec map)
    {
        if (BpfCapable)
        {
            return;
        }

        if (!map.Record.Fields.IsEmpty)
        {
            Reject(DiagCode.PrivilegeMissing, $"map '{map.Name}' has special fields, which are for CAP_BPF",
                errno: Errno.EPERM);
        }

        if (map.Type is not (BpfMapType.Array or BpfMapType.PercpuArray or BpfMapType.ProgArray
            or BpfMapType.PerfEventArray
            or BpfMapType.CgroupArray or BpfMapType.ArrayOfMaps or BpfMapType.Hash or BpfMapType.PercpuHash
            or BpfMapType.HashOfMaps
            or BpfMapType.Ringbuf or BpfMapType.UserRingbuf or BpfMapType.CgroupStorage
            or BpfMapType.PercpuCgroupStorage))
        {
            Reject(DiagCode.PrivilegeMissing, $"map '{map.Name}' is of type {map.Type}, which is for CAP_BPF",
                errno: Errno.EPERM);
        }
    }

    /// <summary>Packet pointers and stamps of the context are for CAP_BPF (<c>cg_skb_is_valid_access</c>).</summary>
    private bool IsPrivilegedField(int off, bool write) => !BpfCapable && Prog.Type == ProgType.CgroupSkb
        && (off is >= 76 and < 84 || (write && off is >= 152 and < 160));

    /// <summary>A tail call is made safe by its one map's size (<c>do_misc_fixups</c>).</summary>
    private void CheckUnprivilegedTailCalls()
    {
        for (var i = 0; !BpfCapable && i < Insns.Length; i++)
        {
            if (Aux[i].Seen && Aux[i].MapPoisoned && Insns[i].Opcode == ((byte)InsnClass.Jmp | BpfOp.Call)
                && Insns[i].Src == 0 && Insns[i].Imm == (int)HelperId.TailCall)
            {
                InsnIdx = i;
                Reject(DiagCode.MapIncompatible, "tail_call abusing map_ptr");
            }
        }
    }
}
