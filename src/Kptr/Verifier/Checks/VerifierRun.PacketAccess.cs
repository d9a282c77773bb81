using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <content>Packets: who may touch them, and as far as a comparison with their end covers.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Whether this program type may read, or write, packet bytes through a pointer.</summary>
    public bool MayAccessDirectPktData(bool write, bool? helperPktAccess)
    {
        switch (RunType)
        {
            case ProgType.LwtIn or ProgType.LwtOut or ProgType.LwtSeg6Local or ProgType.SkReuseport
                or ProgType.FlowDissector or ProgType.CgroupSkb:
                return !write && (helperPktAccess ?? true);
            case ProgType.SchedCls or ProgType.SchedAct or ProgType.Xdp or ProgType.LwtXmit
                or ProgType.SkSkb or ProgType.SkMsg:
                SeenDirectWrite |= helperPktAccess is null;
                return helperPktAccess ?? true;
            case ProgType.CgroupSockopt:
                SeenDirectWrite |= write;
                return true;
            default:
                return false;
        }
    }

    private void CheckPacketRegAccess(int regno, int off, int size, bool write, int valueRegno)
    {
        if (write && !MayAccessDirectPktData(write: true, helperPktAccess: null))
        {
            Reject(DiagCode.ReadOnlyWrite, "cannot write into packet", regno, Errno.EACCES);
        }

        CheckLeak(write, valueRegno, "packet");
        CheckPacketRange(regno, off, size, zeroSizeAllowed: false);
        MarkLoaded(write, valueRegno);
    }

    /// <summary>
    /// Only bytes a comparison with the packet's end showed to be there (<c>check_packet_access</c>).
    /// </summary>
    public void CheckPacketRange(int regno, int off, int size, bool zeroSizeAllowed)
    {
        ref readonly var reg = ref Reg(regno);
        if (Kernel.Profile.FoldsOffsets && reg.PktRange >= 0)
        {
            // The range counts from the offset that is known to the largest that is possible.
            var range = reg.PktRange == 0 ? 0 : (ulong)reg.PktRange + reg.Var.UMax;
            CheckMemRegion(regno, off, size, (uint)Math.Min(range, Limits.MaxPacketOff + 1), zeroSizeAllowed,
                DiagCode.PacketAccessInvalid);
        }

        if (reg.Var.SMin < 0)
        {
            RejectNegativeMin(regno);
        }

        if (reg.PktRange >= 0 && IsInside(off, size, (uint)reg.PktRange, zeroSizeAllowed))
        {
            return;
        }

        if (reg.PktRange >= 0)
        {
            Log.Line(OutsideMessage(regno, off, size, (uint)reg.PktRange));
        }

        Reject(DiagCode.PacketAccessInvalid, $"R{regno} offset is outside of the packet", regno, Errno.EACCES);
    }
}
