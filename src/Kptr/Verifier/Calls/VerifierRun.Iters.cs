using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Open-coded iterators: their state on the stack, and the loop around <c>next</c>.</content>
internal sealed partial class VerifierRun
{
    private const string IterPrefix = "bpf_iter_";

    /// <summary>Kernel: <c>process_iter_arg</c>.</summary>
    private void ProcessIterArg(int i, in KfuncParam param, KfuncCallMeta meta)
    {
        var regno = i + 1;
        ref readonly var reg = ref Reg(regno);
        if (meta.Fn.Special == SpecialKfunc.IterCssTaskNew && !MayIterateCssTasks)
        {
            Reject(DiagCode.KfuncNotAllowed, "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs");
        }

        if (reg.Type != RegType.PtrToStack)
        {
            Reject(DiagCode.IterInvalid, $"{ArgName(i)} expected pointer to an iterator on stack", regno);
        }

        if (param.Pointee.Kind is not BtfKind.Struct
            || !param.Pointee.Name.StartsWith(IterPrefix, StringComparison.Ordinal))
        {
            Reject(DiagCode.IterInvalid, $"expected valid iter pointer as {ArgName(i, "arg #")}", regno);
        }

        var slots = param.Pointee.SizeBytes / 8;
        if (meta.Fn.Has(KfuncFlags.IterNew))
        {
            StartIter(regno, param.Pointee, slots, meta);
            return;
        }

        var spi = RequireIter(regno, param.Pointee, slots, meta.Fn);
        var frame = Cur.FrameOf(reg);
        for (var s = spi; s > spi - slots; s--)
        {
            LiveReads.MarkSlot(frame, s);
            Log.TouchSlot(s);
        }

        meta.IterSpi = spi;
        meta.IterFrameno = reg.Frameno;
        meta.RefObjId = frame.Stack[spi].Spilled.RefObjId;
        if (meta.Fn.Has(KfuncFlags.IterDestroy))
        {
            EndIter(frame, spi, slots);
        }
    }

    private bool MayIterateCssTasks => Prog.Type == ProgType.Lsm
        || (Prog.Type == ProgType.Tracing && Prog.ExpectedAttachType == AttachType.TraceIter) || InSleepable;

    private void StartIter(int regno, BtfType type, int slots, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        if (!IsFreeForIter(reg, slots))
        {
            Reject(DiagCode.IterInvalid,
                $"expected uninitialized iter_{type.Name[IterPrefix.Length..]} as "
                    + ArgName(regno - 1, "arg #"), regno);
        }

        for (var off = 0; off < slots * 8; off += 8)
        {
            CheckMemAccess(regno, off, 8, write: true, valueRegno: -1);
        }

        var frame = Cur.FrameOf(reg);
        var spi = StackObjectSpi(reg, "iter", slots);
        Invariant.That(spi >= 0, "an iterator was written outside of the stack");
        var id = AcquireRef(InsnIdx);
        for (var i = 0; i < slots; i++)
        {
            ref var slot = ref frame.Stack[spi - i];
            slot.Spilled.MarkKnownZero(RegType.PtrToStack);
            if (meta.Fn.Has(KfuncFlags.RcuProtected))
            {
                slot.Spilled.Type |= InRcuCs ? RegType.MemRcu : RegType.PtrUntrusted;
            }

            frame.Live.WriteSlot(spi - i);
            slot.Spilled.RefObjId = i == 0 ? id : 0;
            slot.Spilled.Btf = type.Btf;
            slot.Spilled.BtfId = type.Id;
            slot.Spilled.IterState = IterState.Active;
            slot.Spilled.IterDepth = 0;
            slot.SetAll(SlotKind.Iter);
            Log.TouchSlot(spi - i);
        }
    }

    private bool IsFreeForIter(in RegState reg, int slots)
    {
        var spi = StackObjectSpi(reg, "iter", slots);
        if (spi < 0)
        {
            return spi == OutOfRange;
        }

        var frame = Cur.FrameOf(reg);
        for (var i = spi; i > spi - slots; i--)
        {
            for (var b = 0; b < 8; b++)
            {
                if (frame.Stack[i][b] == SlotKind.Iter)
                {
                    return false;
                }
            }
        }

        return true;
    }

    private int RequireIter(int regno, BtfType type, int slots, KfuncInfo fn)
    {
        ref readonly var reg = ref Reg(regno);
        var spi = StackObjectSpi(reg, "iter", slots);
        for (var i = 0; spi >= 0 && i < slots; i++)
        {
            ref readonly var slot = ref Cur.FrameOf(reg).Stack[spi - i];
            ref readonly var state = ref slot.Spilled;
            if (state.Type.Has(RegType.PtrUntrusted))
            {
                Reject(DiagCode.IterInvalid, $"expected an RCU CS when using {fn.Name}", regno);
            }

            var isFirst = i == 0;
            if (isFirst != (state.RefObjId != 0) || !slot.AllBytes(SlotKind.Iter)
                || !ReferenceEquals(state.Btf, type.Btf) || state.BtfId != type.Id)
            {
                spi = Misplaced;
            }
        }

        if (spi < 0)
        {
            Reject(DiagCode.IterInvalid,
                $"expected an initialized iter_{type.Name[IterPrefix.Length..]} as "
                    + ArgName(regno - 1, "arg #"), regno);
        }

        return spi;
    }

    private void EndIter(FuncState frame, int spi, int slots)
    {
        if (!ReleaseReference(frame.Stack[spi].Spilled.RefObjId))
        {
            Reject(DiagCode.ReleaseUnowned, "the iterator is not this function's to destroy");
        }

        for (var i = spi; i > spi - slots; i--)
        {
            ref var slot = ref frame.Stack[i];
            slot.Spilled.MarkNotInit();
            frame.Live.WriteSlot(i);
            slot.SetAll(SlotKind.Invalid);
            Log.TouchSlot(i);
        }
    }

    /// <summary>
    /// Splits at <c>next</c>: here it returned null and the iterator is drained; on the path saved for later it
    /// returned an element (<c>process_iter_next_call</c>).
    /// </summary>
    private void ProcessIterNext(KfuncCallMeta meta)
    {
        ref var iter = ref Cur.Frames[meta.IterFrameno]!.Stack[meta.IterSpi].Spilled;
        if (iter.IterState == IterState.Active)
        {
            var previous = FindPrevEntry(Cur.Parent, InsnIdx);
            var queued = PushStack(InsnIdx + 1, InsnIdx);
            ref var next = ref queued.Frames[meta.IterFrameno]!.Stack[meta.IterSpi].Spilled;
            next.IterState = IterState.Active;
            next.IterDepth++;
            if (previous is not null)
            {
                WidenImpreciseScalars(previous, queued);
            }

            MarkNotNull(ref queued.Cur.Regs[0]);
        }

        iter.IterState = IterState.Drained;
        MarkConstZero(ref Reg(0));
    }
}
