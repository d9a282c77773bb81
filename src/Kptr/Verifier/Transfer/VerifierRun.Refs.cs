using Kptr.Diagnostics;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>References: taking, giving back, and what becomes invalid with them.</content>
internal sealed partial class VerifierRun
{
    /// <summary>References that came with arguments of the main program, by the arguments' offsets.</summary>
    private readonly Dictionary<int, int> _argRefs = [];

    /// <summary>What is done to each register and spilled register of a state.</summary>
    public delegate void RegAction(ref RegState reg);

    /// <summary>Takes a reference in the innermost frame (<c>acquire_reference_state</c>).</summary>
    /// <returns>Its id.</returns>
    public int AcquireRef(int insnIdx)
    {
        var frame = Cur.Cur;
        var id = NewId();
        Aux[insnIdx].Acquires = true;
        frame.AddRef(new RefState(id, insnIdx, frame.OwnsApart ? frame.Frameno : 0));
        return id;
    }

    /// <summary>Takes the references that come with arguments: the program owns them from its start.</summary>
    private void AcquireArgRefs()
    {
        foreach (var arg in Hook.Target?.Args ?? [])
        {
            if (arg.IsRefcounted)
            {
                _argRefs[arg.Off] = AcquireRef(0);
            }
        }
    }

    /// <summary>
    /// Gives a reference back and invalidates every register and spilled register that came with it
    /// (<c>release_reference</c>).
    /// </summary>
    /// <returns>False if the innermost frame may not release it.</returns>
    public bool ReleaseReference(int refObjId)
    {
        if (!Cur.Cur.TryReleaseRef(refObjId))
        {
            return false;
        }

        Aux[InsnIdx].Releases = true;
        for (var i = 0; i <= Cur.CurFrame; i++)
        {
            var frame = Cur.Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan())
            {
                if (reg.RefObjId == refObjId)
                {
                    MarkInvalid(ref reg);
                }
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsSpill && slot.Spilled.RefObjId == refObjId)
                {
                    MarkInvalid(ref slot.Spilled);
                }
            }
        }

        if (Kernel.Profile.DynptrsFollowReferences)
        {
            EndDynptrsOver(refObjId);
        }

        return true;
    }

    /// <summary>Visits every register and spilled register of the state being explored.</summary>
    public void ForEachReg(RegAction action)
    {
        for (var i = 0; i <= Cur.CurFrame; i++)
        {
            var frame = Cur.Frames[i]!;
            foreach (ref var reg in frame.Regs.AsSpan())
            {
                action(ref reg);
            }

            foreach (ref var slot in frame.Stack.AsSpan(0, frame.SlotCount))
            {
                if (slot.IsSpill)
                {
                    action(ref slot.Spilled);
                }
            }
        }
    }

    /// <summary>Non-owning references end with the lock (<c>invalidate_non_owning_refs</c>).</summary>
    public void InvalidateNonOwningRefs() => ForEachReg((ref RegState reg) =>
    {
        if (reg.Type.IsNonOwningRef())
        {
            MarkInvalid(ref reg);
        }
    });

    /// <summary>The packet may have moved: no pointer into it holds (<c>clear_all_pkt_pointers</c>).</summary>
    public void ClearAllPktPointers() => ForEachReg((ref RegState reg) =>
    {
        if (IsInPacket(reg))
        {
            MarkInvalid(ref reg);
        }
    });

    private static bool IsInPacket(in RegState reg) => reg.Type.IsPacket() || reg.Type == RegType.PtrToPacketEnd
        || (reg.Type.Base() == RegType.PtrToMem
            && reg.Type.Has(RegType.DynptrSkb | RegType.DynptrXdp | RegType.DynptrSkbMeta));

    /// <summary>
    /// Refuses an exit that leaves references behind (<c>check_reference_leak</c>); the last leak is the message.
    /// </summary>
    /// <param name="exceptionExit">The program ends by <c>bpf_throw</c>: callers' references leak too.</param>
    /// <param name="end">What ends the program, where messages name it.</param>
    public void CheckReferenceLeak(bool exceptionExit, string? end = null)
    {
        var frame = Cur.Cur;
        if (!exceptionExit && frame.Frameno != 0 && !frame.OwnsApart)
        {
            return;
        }

        RefState? leak = null;
        for (var i = 0; i < frame.RefCount; i++)
        {
            if (!exceptionExit && frame.OwnsApart && frame.Refs[i].CallbackRef != frame.Frameno)
            {
                continue;
            }

            // Whether the kernel takes what is returned, the check of the return value says.
            if (!exceptionExit && Hook.ReturnsPointer && frame.Frameno == 0 && Reg(0).RefObjId == frame.Refs[i].Id)
            {
                continue;
            }

            if (leak is { } earlier)
            {
                Log.Line($"Unreleased reference id={earlier.Id} alloc_insn={earlier.InsnIdx}");
            }

            leak = frame.Refs[i];
        }

        if (leak is { } lost)
        {
            RejectLeak(lost, end);
        }
    }

    private void RejectLeak(RefState lost, string? end)
    {
        var message = $"Unreleased reference id={lost.Id} alloc_insn={lost.InsnIdx}";
        if (end is not null)
        {
            Log.Line(message);
            message = $"{end} would lead to reference leak";
        }

        throw new RejectException(
            MakeDiagnostic(DiagCode.UnreleasedRef, message, -1) with { RefObjId =
                lost.Id, AcquiredAtInsn = lost.InsnIdx },
            Errno.EINVAL);
    }
}
