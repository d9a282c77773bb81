using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Dynptrs on the stack: two slots each, the first at the higher address.</content>
internal sealed partial class VerifierRun
{
    private const int DynptrSlots = 2;
    private const int OutOfRange = -34;
    private const int Misplaced = -22;

    /// <summary>The first slot of a stack object, or a negative error (<c>stack_slot_obj_get_spi</c>).</summary>
    private int StackObjectSpi(in RegState reg, string what, int slots)
    {
        if (!reg.Var.IsConst)
        {
            Log.Line($"{what} has to be at a constant offset");
            return Misplaced;
        }

        var off = reg.Off + (int)reg.Var.ConstValue;
        var spi = (-off - 1) / 8;
        if (off % 8 != 0 || spi + 1 < slots || (off >= 0 && Kernel.Profile.ObjectsLieBelowFrame))
        {
            Log.Line($"cannot pass in {what} at an offset={off}");
            return Misplaced;
        }

        if (spi - slots + 1 < 0 || spi >= Cur.FrameOf(reg).SlotCount)
        {
            return OutOfRange;
        }

        if (off >= 0)
        {
            Doubt(DiagCode.StrictIterPlace, $"{what} at an offset={off} is outside the stack");
        }

        return spi;
    }

    private int DynptrSpi(in RegState reg) => StackObjectSpi(reg, "dynptr", DynptrSlots);

    /// <summary>The state of the dynptr that an argument points to or is.</summary>
    private ref RegState DynptrSlotOf(int regno)
    {
        ref var reg = ref Reg(regno);
        if (reg.Type == RegType.ConstPtrToDynptr)
        {
            return ref reg;
        }

        var spi = DynptrSpi(reg);
        Invariant.That(spi >= 0, "a checked dynptr argument points to no dynptr");
        return ref Cur.FrameOf(reg).Stack[spi].Spilled;
    }

    /// <summary>
    /// Checks a dynptr argument, and makes the dynptr if the callee does (<c>process_dynptr_func</c>).
    /// </summary>
    /// <param name="regno">The argument.</param>
    /// <param name="flags">Modifiers of the argument: <see cref="RegType.MemUninit"/>,
    /// <see cref="RegType.MemRdOnly"/> and the kind.</param>
    /// <param name="parentRefObjId">Reference that a clone shares with its parent, or of the object that the dynptr is
    /// over; 0 for none.</param>
    private void ProcessDynptr(int regno, RegType flags, int parentRefObjId)
    {
        ref var reg = ref Reg(regno);
        if (reg.Type is not (RegType.PtrToStack or RegType.ConstPtrToDynptr))
        {
            Reject(DiagCode.DynptrInvalid,
                $"{ArgName(regno - 1)} expected pointer to stack or const struct bpf_dynptr", regno);
        }

        if (flags.Has(RegType.MemUninit))
        {
            if (reg.Type == RegType.ConstPtrToDynptr
                || (Kernel.Profile.TracksConstDynptrs && DynptrSpi(reg) == Misplaced))
            {
                Reject(DiagCode.DynptrInvalid, "Dynptr has to be an uninitialized dynptr", regno);
            }

            CheckNotDynptrYet(regno, reg);
            for (var i = 0; i < 8 * DynptrSlots; i += 8)
            {
                CheckMemAccess(regno, i, 8, write: true, valueRegno: -1);
            }

            MarkStackSlotsDynptr(regno, KindOf(flags), parentRefObjId);
            return;
        }

        CheckInitializedDynptr(regno, reg, flags);
        MarkDynptrRead(reg);
    }

    // Where a dynptr is not destroyed by what overwrites it, none may be made over another.
    private void CheckNotDynptrYet(int regno, in RegState reg)
    {
        var spi = DynptrSpi(reg);
        var frame = Cur.FrameOf(reg);
        for (var slot = spi; !Kernel.Profile.TracksConstDynptrs && slot >= 0 && slot > spi - DynptrSlots; slot--)
        {
            for (var i = 0; i < 8; i++)
            {
                if (frame.Stack[slot][i] == SlotKind.Dynptr)
                {
                    Reject(DiagCode.DynptrInvalid, "Dynptr has to be an uninitialized dynptr", regno);
                }
            }
        }
    }

    private void CheckInitializedDynptr(int regno, in RegState reg, RegType flags)
    {
        if (reg.Type == RegType.ConstPtrToDynptr && !flags.Has(RegType.MemRdOnly) && Kernel.Profile.TracksConstDynptrs)
        {
            Reject(DiagCode.DynptrInvalid, "cannot pass pointer to const bpf_dynptr, the helper mutates it", regno);
        }

        if (!IsDynptrInitialized(reg))
        {
            Reject(DiagCode.DynptrInvalid, $"Expected an initialized dynptr as {DynptrArg(regno)}", regno);
        }

        var kind = KindOf(flags);
        if (kind != DynptrKind.Invalid && DynptrSlotOf(regno).DynptrKind != kind)
        {
            Reject(
                DiagCode.DynptrInvalid,
                $"Expected a dynptr of type {StatePrinter.DynptrName(kind)} as {DynptrArg(regno)}", regno);
        }
    }

    // The number of an argument in these messages; it once began at 1.
    private string DynptrArg(int regno) =>
        ArgName(Kernel.Profile.TracksConstDynptrs ? regno - 1 : regno, "arg #");

    private bool IsDynptrInitialized(in RegState reg)
    {
        if (reg.Type == RegType.ConstPtrToDynptr)
        {
            return true;
        }

        var spi = DynptrSpi(reg);
        if (spi < 0)
        {
            return false;
        }

        var frame = Cur.FrameOf(reg);
        return frame.Stack[spi].Spilled.DynptrFirstSlot && frame.Stack[spi].AllBytes(SlotKind.Dynptr)
            && frame.Stack[spi - 1].AllBytes(SlotKind.Dynptr);
    }

    private void MarkDynptrRead(in RegState reg)
    {
        if (reg.Type != RegType.ConstPtrToDynptr)
        {
            var spi = DynptrSpi(reg);
            LiveReads.MarkSlot(Cur.FrameOf(reg), spi);
            LiveReads.MarkSlot(Cur.FrameOf(reg), spi - 1);
        }
    }

    private void MarkStackSlotsDynptr(int regno, DynptrKind kind, int parentRefObjId)
    {
        ref readonly var reg = ref Reg(regno);
        var frame = Cur.FrameOf(reg);
        var spi = DynptrSpi(reg);
        if (spi < 0 || kind == DynptrKind.Invalid)
        {
            Reject(DiagCode.DynptrInvalid, "Dynptr has to be an uninitialized dynptr", regno);
        }

        DestroyIfDynptrSlot(frame, spi);
        DestroyIfDynptrSlot(frame, spi - 1);
        ref StackSlot first = ref frame.Stack[spi], second = ref frame.Stack[spi - 1];
        first.SetAll(SlotKind.Dynptr);
        second.SetAll(SlotKind.Dynptr);
        var id = Kernel.Profile.TracksConstDynptrs ? NewId() : 0;
        MarkDynptrReg(ref first.Spilled, kind, firstSlot: true, id);
        MarkDynptrReg(ref second.Spilled, kind, firstSlot: false, id);
        var refObjId = parentRefObjId == 0 && IsRefcounted(kind) ? AcquireRef(InsnIdx) : parentRefObjId;
        first.Spilled.RefObjId = second.Spilled.RefObjId = refObjId;

        frame.Live.WriteSlot(spi);
        frame.Live.WriteSlot(spi - 1);
        Log.TouchSlot(spi);
        Log.TouchSlot(spi - 1);
    }

    private static void MarkDynptrReg(ref RegState reg, DynptrKind kind, bool firstSlot, int id)
    {
        reg.MarkKnownZero(RegType.ConstPtrToDynptr);
        reg.Id = id;
        reg.DynptrKind = kind;
        reg.DynptrFirstSlot = firstSlot;
    }

    /// <summary>
    /// Ends the dynptr an argument points to, and all its clones with it. False where a slot of data still names the
    /// reference: what was written over a spilled slice of the dynptr took its kind alone.
    /// </summary>
    private bool UnmarkStackSlotsDynptr(int regno)
    {
        ref readonly var reg = ref Reg(regno);
        var frame = Cur.FrameOf(reg);
        var spi = DynptrSpi(reg);
        Invariant.That(spi >= 0, "a released dynptr is not on the stack");
        ref var slot = ref frame.Stack[spi].Spilled;
        if (!IsRefcounted(slot.DynptrKind))
        {
            InvalidateDynptr(frame, spi);
            return true;
        }

        var refObjId = slot.RefObjId;
        if (!ReleaseReference(refObjId))
        {
            Reject(DiagCode.ReleaseUnowned, "the dynptr's reference is not this function's to release", regno);
        }

        for (var i = 0; i < frame.SlotCount; i++)
        {
            ref var other = ref frame.Stack[i];
            if (other.Spilled.RefObjId != refObjId)
            {
                continue;
            }

            if (other[0] != SlotKind.Dynptr && Kernel.Profile.MistakesDataForClones)
            {
                return false;
            }

            if (other[0] == SlotKind.Dynptr && other.Spilled.DynptrFirstSlot)
            {
                InvalidateDynptr(frame, i);
            }
        }

        return true;
    }

    private void InvalidateDynptr(FuncState frame, int spi)
    {
        for (var i = spi; i > spi - DynptrSlots; i--)
        {
            frame.Stack[i].SetAll(SlotKind.Invalid);
            frame.Stack[i].Spilled.MarkNotInit();
            frame.Live.WriteSlot(i);
            Log.TouchSlot(i);
        }
    }

    /// <summary>Before bytes of a dynptr are overwritten: it ends, and its slices with it.</summary>
    private void DestroyIfDynptrSlot(FuncState frame, int spi)
    {
        if (frame.Stack[spi][0] != SlotKind.Dynptr || !Kernel.Profile.TracksConstDynptrs)
        {
            return;
        }

        if (!frame.Stack[spi].Spilled.DynptrFirstSlot)
        {
            spi++;
        }

        ref readonly var old = ref frame.Stack[spi].Spilled;
        if (IsRefcounted(old.DynptrKind)
            && !(Kernel.Profile.DynptrsFollowReferences && CountDynptrsOver(old.RefObjId) > 1))
        {
            Reject(DiagCode.DynptrInvalid, "cannot overwrite referenced dynptr");
        }

        EndDynptr(frame, spi);
    }

    private void EndDynptr(FuncState frame, int spi)
    {
        var id = frame.Stack[spi].Spilled.Id;
        ForEachReg((ref RegState reg) =>
        {
            var type = Kernel.Profile.DynptrsFollowReferences ? reg.Type.Base() : reg.Type & ~RegType.MaybeNull;
            if (type == RegType.PtrToMem && reg.DynptrId == id)
            {
                MarkInvalid(ref reg);
            }
        });
        InvalidateDynptr(frame, spi);
    }

    /// <summary>Dynptrs over an object that the program owned end with its reference, and their slices.</summary>
    private void EndDynptrsOver(int refObjId)
    {
        foreach (var (frame, spi) in DynptrsOver(refObjId))
        {
            EndDynptr(frame, spi);
        }
    }

    private int CountDynptrsOver(int refObjId) => DynptrsOver(refObjId).Count();

    private IEnumerable<(FuncState Frame, int Spi)> DynptrsOver(int refObjId)
    {
        for (var fr = 0; fr <= Cur.CurFrame; fr++)
        {
            var frame = Cur.Frames[fr]!;
            for (var i = 1; i < frame.SlotCount; i++)
            {
                if (frame.Stack[i][0] == SlotKind.Dynptr && frame.Stack[i].Spilled.DynptrFirstSlot
                    && frame.Stack[i].Spilled.RefObjId == refObjId)
                {
                    yield return (frame, i);
                }
            }
        }
    }

    private static bool IsRefcounted(DynptrKind kind) => kind == DynptrKind.Ringbuf;

    private static DynptrKind KindOf(RegType flags) => (flags & RegType.DynptrMask) switch
    {
        RegType.DynptrLocal => DynptrKind.Local,
        RegType.DynptrRingbuf => DynptrKind.Ringbuf,
        RegType.DynptrSkb => DynptrKind.Skb,
        RegType.DynptrXdp => DynptrKind.Xdp,
        RegType.DynptrSkbMeta => DynptrKind.SkbMeta,
        _ => DynptrKind.Invalid,
    };

    private static RegType FlagOf(DynptrKind kind) => kind switch
    {
        DynptrKind.Local => RegType.DynptrLocal,
        DynptrKind.Ringbuf => RegType.DynptrRingbuf,
        DynptrKind.Skb => RegType.DynptrSkb,
        DynptrKind.Xdp => RegType.DynptrXdp,
        DynptrKind.SkbMeta => RegType.DynptrSkbMeta,
        _ => 0,
    };
}
