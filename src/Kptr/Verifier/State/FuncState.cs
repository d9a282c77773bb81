using System.Diagnostics.CodeAnalysis;

namespace Kptr.Verifier.State;

/// <summary>One reference that a frame must give back: the kernel's <c>struct bpf_reference_state</c>.</summary>
/// <param name="Id">Its id, unique in a verification.</param>
/// <param name="InsnIdx">The instruction that acquired it.</param>
/// <param name="CallbackRef">Frame number of the callback that acquired it, where callbacks own apart; else 0.</param>
internal readonly record struct RefState(int Id, int InsnIdx, int CallbackRef);

/// <summary>Least and greatest value a callback or program may return.</summary>
internal readonly record struct RetRange(int Min, int Max);

/// <summary>One call frame: registers, stack, and the references it holds.</summary>
/// <remarks>
/// Kernel: <c>struct bpf_func_state</c>. The kernel gives every register a parent pointer for liveness; here a frame
/// has three, because registers only ever get their parents in three groups: <see cref="Parent"/> for R6-R9 and the
/// stack, <see cref="ArgsParent"/> for R1-R5, <see cref="R0Parent"/> for R0.
/// </remarks>
internal sealed class FuncState
{
    public readonly RegState[] Regs = new RegState[11];
    public StackSlot[] Stack = [];
    public RefState[] Refs = [];

    /// <summary>Slots of <see cref="Stack"/> in use (<c>allocated_stack / 8</c>).</summary>
    public int SlotCount;
    public int RefCount;
    public LiveMarks Live;

    /// <summary>The call instruction; -1 in the main program.</summary>
    public int Callsite;
    public int Frameno;
    public int Subprogno;
    public int AsyncEntryCnt;
    public RetRange CallbackRetRange;
    public bool InCallback;

    /// <summary>A callback that must give back what it took, and nothing else (6.12 and before).</summary>
    public bool OwnsApart;
    public bool InAsyncCallback;
    public bool InExceptionCallback;

    /// <summary>How often the callback in the next frame was simulated so far.</summary>
    public int CallbackDepth;

    /// <summary>
    /// How often <c>bpf_loop</c> calls the callback in the next frame at most, counted from the first; 0 where another
    /// helper does.
    /// </summary>
    public ulong RoundsMax;

    /// <summary>How many calls of the callback in the next frame are not simulated yet.</summary>
    public ulong RoundsLeft => RoundsMax - Math.Min(RoundsMax, (ulong)CallbackDepth);

    public FuncState? Parent;
    public FuncState? ArgsParent;
    public FuncState? R0Parent;

    /// <summary>The slots in use, a bit each.</summary>
    public ulong AllSlots => SlotCount == 64 ? ulong.MaxValue : (1ul << SlotCount) - 1;

    /// <summary>Makes a fresh frame of this object.</summary>
    public void Init(int callsite, int frameno, int subprogno)
    {
        Callsite = callsite;
        Frameno = frameno;
        Subprogno = subprogno;
        AsyncEntryCnt = 0;
        CallbackRetRange = new(0, 0);
        InCallback = OwnsApart = InAsyncCallback = InExceptionCallback = false;
        CallbackDepth = 0;
        RoundsMax = 0;
        Parent = ArgsParent = R0Parent = null;
        SlotCount = 0;
        RefCount = 0;
        Live = default;
        for (var i = 0; i < Regs.Length; i++)
        {
            Regs[i] = default;
            Regs[i].MarkNotInit();
        }

        ref var fp = ref Regs[10];
        fp.MarkKnownZero(RegType.PtrToStack);
        fp.Frameno = frameno;
    }

    public void CopyFrom(FuncState other)
    {
        Array.Copy(other.Regs, Regs, Regs.Length);
        if (Stack.Length < other.SlotCount)
        {
            Stack = new StackSlot[RoundUp(other.SlotCount)];
        }

        Array.Copy(other.Stack, Stack, other.SlotCount);
        SlotCount = other.SlotCount;
        CopyRefsFrom(other);
        Callsite = other.Callsite;
        Frameno = other.Frameno;
        Subprogno = other.Subprogno;
        AsyncEntryCnt = other.AsyncEntryCnt;
        CallbackRetRange = other.CallbackRetRange;
        InCallback = other.InCallback;
        OwnsApart = other.OwnsApart;
        InAsyncCallback = other.InAsyncCallback;
        InExceptionCallback = other.InExceptionCallback;
        CallbackDepth = other.CallbackDepth;
        RoundsMax = other.RoundsMax;
        Parent = other.Parent;
        ArgsParent = other.ArgsParent;
        R0Parent = other.R0Parent;
        Live = other.Live;
    }

    /// <summary>Takes over a register with its marks, as the kernel does where it copies the whole of it.</summary>
    public void TakeReg(int regno, FuncState from, int fromRegno)
    {
        Regs[regno] = from.Regs[fromRegno];
        Live.ReadRegs = WithBit(Live.ReadRegs, regno, from.Live.ReadRegs, fromRegno);
        Live.WrittenRegs = WithBit(Live.WrittenRegs, regno, from.Live.WrittenRegs, fromRegno);

        static uint WithBit(uint bits, int at, uint others, int other) =>
            (bits & ~(1u << at)) | (((others >> other) & 1) << at);
    }

    /// <summary>Kernel: <c>copy_reference_state</c>.</summary>
    public void CopyRefsFrom(FuncState other)
    {
        if (Refs.Length < other.RefCount)
        {
            Refs = new RefState[Math.Max(4, other.Refs.Length)];
        }

        Array.Copy(other.Refs, Refs, other.RefCount);
        RefCount = other.RefCount;
    }

    /// <summary>Makes the stack reach at least this many slots down; new ones are invalid.</summary>
    public void GrowStack(int slots)
    {
        if (slots <= SlotCount)
        {
            return;
        }

        if (slots > Stack.Length)
        {
            Array.Resize(ref Stack, RoundUp(slots));
        }

        Array.Clear(Stack, SlotCount, slots - SlotCount);
        SlotCount = slots;
    }

    public void AddRef(in RefState reference)
    {
        if (RefCount == Refs.Length)
        {
            Array.Resize(ref Refs, Math.Max(4, 2 * RefCount));
        }

        Refs[RefCount++] = reference;
    }

    /// <summary>Gives a reference back; the last one takes its place, as in the kernel.</summary>
    /// <returns>False if the frame does not hold it, or it is a caller's and this is a callback.</returns>
    public bool TryReleaseRef(int id)
    {
        for (var i = 0; i < RefCount; i++)
        {
            if (Refs[i].Id != id)
            {
                continue;
            }

            if (OwnsApart && Refs[i].CallbackRef != Frameno)
            {
                return false;
            }

            Refs[i] = Refs[--RefCount];
            return true;
        }

        return false;
    }

    /// <summary>The reference with this id, if the frame knows it.</summary>
    public bool TryFindRef(int id, [NotNullWhen(true)] out RefState? found)
    {
        for (var i = 0; i < RefCount; i++)
        {
            if (Refs[i].Id == id)
            {
                found = Refs[i];
                return true;
            }
        }

        found = null;
        return false;
    }

    private static int RoundUp(int slots) => Math.Min(64, (slots + 3) & ~3);
}
