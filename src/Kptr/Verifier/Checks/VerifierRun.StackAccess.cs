using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>The stack: spills and fills of registers, plain bytes, and what helpers may touch.</content>
internal sealed partial class VerifierRun
{
    /// <summary>Index of the slot that holds a (negative) stack offset.</summary>
    public static int SlotOf(int off) => StackSlot.IndexOf(off);

    private void CheckStackAccess(int regno, int off, int size, bool write, int valueRegno)
    {
        ref readonly var reg = ref Reg(regno);
        CheckStackBounds(regno, off, size, write, byHelper: false);
        var frame = Cur.FrameOf(reg);
        if (reg.Var.IsConst)
        {
            var at = off + (int)reg.Var.ConstValue;
            if (write)
            {
                WriteStackFixed(frame, at, size, valueRegno);
            }
            else
            {
                ReadStackFixed(frame, at, size, valueRegno);
            }

            return;
        }

        if (write)
        {
            WriteStackVar(frame, reg, off, size, valueRegno);
            return;
        }

        if (valueRegno < 0)
        {
            Reject(DiagCode.StackAccessInvalid,
                "variable offset stack pointer cannot be passed into helper function; "
                    + $"var_off={Tn(reg)} off={off} size={size}",
                regno, Errno.EACCES);
        }

        CheckStackRangeInitialized(regno, off, size, write: false, zeroSizeAllowed: false, byHelper: false, raw: null);
        MarkRegStackRead(frame, (int)reg.Var.SMin + off, (int)reg.Var.SMax + off + size, valueRegno);
        _fastcalls.Use(frame.Subprogno, InsnIdx, (int)reg.Var.SMin + off);
    }

    /// <summary>The whole access is inside the frame's 512 bytes; grows what the frame uses.</summary>
    private void CheckStackBounds(int regno, int off, int size, bool write, bool byHelper)
    {
        ref readonly var reg = ref Reg(regno);
        var what = byHelper && Kernel.Profile.SaysIndirect ? " indirect access to" : write ? " write to" : " read from";
        long min, max;
        if (reg.Var.IsConst)
        {
            min = (long)reg.Var.ConstValue + off;
            max = min + size;
        }
        else
        {
            if (reg.Var.SMax >= Limits.MaxVarOff || reg.Var.SMin <= -Limits.MaxVarOff)
            {
                Reject(DiagCode.StackAccessInvalid, $"invalid unbounded variable-offset{what} stack R{regno}",
                    regno, Errno.EACCES);
            }

            min = reg.Var.SMin + off;
            max = reg.Var.SMax + off + size;
        }

        var lowest = write || AllowUninitStack ? -Limits.MaxBpfStack : -8 * Cur.FrameOf(reg).SlotCount;
        if (min < lowest || min > -1 || max > 0 || size < 0)
        {
            Reject(DiagCode.StackAccessInvalid, reg.Var.IsConst
                ? $"invalid{what} stack R{regno} off={off} size={size}"
                : $"invalid variable-offset{what} stack R{regno} var_off={Tn(reg)} off={off} size={size}",
                regno, Errno.EACCES);
        }

        GrowStack(Cur.FrameOf(reg), (int)-min);
    }

    public void GrowStack(FuncState frame, int bytes)
    {
        var slots = (bytes + 7) / 8;
        if (frame.SlotCount >= slots)
        {
            return;
        }

        frame.GrowStack(slots);
        var sub = Subprogs[frame.Subprogno];
        sub.StackDepth = Math.Max(sub.StackDepth, slots * 8);
    }

    private static bool IsSpillable(RegType type) => type.Base()
        is RegType.PtrToMapValue or RegType.PtrToStack or RegType.PtrToCtx or RegType.PtrToPacket
            or RegType.PtrToPacketMeta
        or RegType.PtrToPacketEnd or RegType.PtrToFlowKeys or RegType.ConstPtrToMap or RegType.PtrToSocket
        or RegType.PtrToSockCommon or RegType.PtrToTcpSock or RegType.PtrToXdpSock
        or RegType.PtrToBtfId or RegType.PtrToBuf
        or RegType.PtrToMem or RegType.PtrToFunc or RegType.PtrToMapKey or RegType.PtrToArena;

    /// <summary>
    /// The stack bytes a helper reads are initialised, or become so if it fills them
    /// (<c>check_stack_range_initialized</c>).
    /// </summary>
    /// <remarks>
    /// <c>raw</c>: Where to note memory that may be uninitialised; null if it must not. <c>mayBeDead</c>: The size is
    /// that of a type, so that bytes which nothing reads may be among those.
    /// </remarks>
    public void CheckStackRangeInitialized(int regno, int off, int size, bool write, bool zeroSizeAllowed,
        bool byHelper, RawStackArg? raw, bool mayBeDead = false)
    {
        if (size == 0 && !zeroSizeAllowed)
        {
            Reject(DiagCode.StackAccessInvalid, "invalid zero-sized read", regno, Errno.EACCES);
        }

        CheckStackBounds(regno, off, size, Kernel.Profile.SaysIndirect ? byHelper : write, byHelper);
        ref readonly var reg = ref Reg(regno);
        var frame = Cur.FrameOf(reg);
        int min, max;
        if (reg.Var.IsConst)
        {
            min = max = (int)reg.Var.ConstValue + off;
        }
        else
        {
            if (!BypassSpecV1)
            {
                Reject(
                    DiagCode.StackAccessInvalid,
                    $"R{regno}{(byHelper && Kernel.Profile.SaysIndirect ? " indirect" : "")} variable offset "
                        + $"stack access prohibited for !root, var_off={Tn(reg)}",
                    regno, Errno.EACCES);
            }

            raw = null;
            min = (int)reg.Var.SMin + off;
            max = (int)reg.Var.SMax + off;
        }

        if (raw is { RawMode: true })
        {
            CheckNoDynptrIn(frame, min, max + size);
            raw.AccessSize = size;
            raw.Regno = regno;
            return;
        }

        for (var i = min; i < max + size; i++)
        {
            if (!TryReadByte(frame, i, clobber: Kernel.Profile.HelpersKeepReadSpills ? write : byHelper,
                mayBeDead || write))
            {
                if (frame.Stack[SlotOf(i)][(-i - 1) & 7] == SlotKind.Poison)
                {
                    Reject(DiagCode.StackAccessInvalid, $"reading from stack R{regno} off {min}+{i - min} size {size}, "
                        + "slot poisoned by dead code elimination", regno, Errno.EACCES);
                }

                var indirect = byHelper && Kernel.Profile.SaysIndirect ? " indirect" : "";
                Reject(DiagCode.StackAccessInvalid, reg.Var.IsConst
                    ? $"invalid{indirect} read from stack R{regno} off {min}+{i - min} size {size}"
                    : $"invalid{indirect} read from stack R{regno} var_off {Tn(reg)}+{i - min} size {size}",
                    regno, Errno.EACCES);
            }

            LiveReads.MarkSlot(frame, SlotOf(i));
        }
    }

    private void CheckNoDynptrIn(FuncState frame, int min, int max)
    {
        for (var i = min; i < max; i++)
        {
            if (Kernel.Profile.TracksConstDynptrs && SlotOf(i) < frame.SlotCount
                && frame.Stack[SlotOf(i)][(-i - 1) & 7] == SlotKind.Dynptr)
            {
                Reject(DiagCode.StackAccessInvalid, $"potential write to dynptr at off={i} disallowed",
                    errno: Errno.EACCES);
            }
        }
    }

    /// <summary>Whether one stack byte may be read; a helper may also have overwritten it.</summary>
    private bool TryReadByte(FuncState frame, int i, bool clobber, bool mayBeDead)
    {
        ref var stack = ref frame.Stack[SlotOf(i)];
        var at = (-i - 1) & 7;
        var kind = stack[at];
        if (kind == SlotKind.Misc)
        {
            return true;
        }

        if (kind == SlotKind.Zero || (kind == SlotKind.Invalid && AllowUninitStack))
        {
            if (clobber)
            {
                stack[at] = SlotKind.Misc;
            }

            return true;
        }

        if (!stack.IsSpill || (stack.Spilled.Type != RegType.Scalar && !AllowPtrLeaks))
        {
            return kind == SlotKind.Poison && mayBeDead;
        }

        if (clobber)
        {
            stack.Spilled.MarkUnknown(AlwaysPrecise);
            stack.ScrubSpill();
        }

        return true;
    }
}
