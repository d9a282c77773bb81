using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>What a loader without capabilities may load at all (with <c>unprivileged_bpf_disabled</c> off).</content>
internal sealed partial class VerifierRun
{
    private const int MaxUnprivilegedInsns = 4096;

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

    /// <summary>A tail call is made safe by its one map's size (<c>do_misc_fixups</c>).</summary>
    private void CheckUnprivilegedTailCalls()
    {
        for (var i = 0; !BpfCapable && i < Insns.Length; i++)
        {
            if (Aux[i].Seen && Aux[i].MapPoisoned && Insns[i].Calls(HelperId.TailCall))
            {
                InsnIdx = i;
                Reject(DiagCode.MapIncompatible, "tail_call abusing map_ptr");
            }
        }
    }
}
