using Kptr.Isa;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier.Liveness;

/// <summary>
/// Which registers and slots of one function hold pointers to stacks, its own or those of who called it, before each of
/// its instructions.
/// </summary>
/// <remarks>
/// Calls leave slots as they are: a callee writes no pointer to a stack into them, and one that it overwrote is only
/// taken for more than it is. Kernel: <c>compute_subprog_args</c>, <c>arg_track_xfer</c> (7.2).
/// </remarks>
internal sealed class PlaceFlow
{
    /// <summary>How many slots of eight bytes a frame has.</summary>
    public const int Slots = Limits.MaxBpfStack / 8;
    private const int Regs = 11;
    private const int Fp = (int)BpfReg.R10;
    private readonly BpfInsn[] _insns;
    private readonly SubprogInfo _sub;
    private readonly int _depth;
    private readonly Func<int, FramePlace[]?> _stackOfCaller;
    private readonly FramePlace[] _regs;

    // No array stands for a stack without such pointers. An array is not written to once it is here.
    private readonly FramePlace[]?[] _stacks;
    private readonly bool[] _isReached;
    private readonly FramePlace[] _regsAfter = new FramePlace[Regs];
    private FramePlace[]? _stackAfter;
    private bool _ownsStackAfter;

    /// <summary>Finds them, forwards until nothing changes.</summary>
    /// <param name="insns">The program.</param>
    /// <param name="sub">The function.</param>
    /// <param name="order">Its instructions in post-order.</param>
    /// <param name="depth">How many frames are above its own.</param>
    /// <param name="args">What it is called with, R0 first; null where nothing is a pointer to a stack.</param>
    /// <param name="stackOfCaller">The slots of a frame above, at the call that led here.</param>
    public PlaceFlow(BpfInsn[] insns, SubprogInfo sub, ReadOnlySpan<int> order, int depth, FramePlace[]? args,
        Func<int, FramePlace[]?> stackOfCaller)
    {
        (_insns, _sub, _depth, _stackOfCaller) = (insns, sub, depth, stackOfCaller);
        var count = sub.End - sub.Start;
        _regs = new FramePlace[count * Regs];
        _stacks = new FramePlace[]?[count];
        _isReached = new bool[count];
        _isReached[0] = true;
        args?.AsSpan(1, 5).CopyTo(_regs.AsSpan(1));
        _regs[Fp] = FramePlace.At(depth, 0);
        Span<int> next = stackalloc int[Flow.SuccessorsMax];
        for (var changed = true; changed;)
        {
            changed = false;
            for (var p = order.Length - 1; p >= 0; p--)
            {
                var at = order[p];
                if (!_isReached[at - sub.Start])
                {
                    continue;
                }

                Before(at).CopyTo(_regsAfter);
                (_stackAfter, _ownsStackAfter) = (_stacks[at - sub.Start], false);
                Step(insns[at]);
                foreach (var to in next[..Flow.Successors(insns, at, next)])
                {
                    changed |= to >= sub.Start && to < sub.End && JoinInto(to - sub.Start);
                }

                _ownsStackAfter = false;
            }
        }
    }

    /// <summary>The registers before an instruction.</summary>
    public ReadOnlySpan<FramePlace> Before(int insnIdx) => _regs.AsSpan((insnIdx - _sub.Start) * Regs, Regs);

    /// <summary>The slots of the function's frame before an instruction; null where none has such a pointer.</summary>
    public FramePlace[]? StackBefore(int insnIdx) => _stacks[insnIdx - _sub.Start];

    private bool JoinInto(int at)
    {
        var regs = _regs.AsSpan(at * Regs, Regs);
        if (!_isReached[at])
        {
            _isReached[at] = true;
            _regsAfter.CopyTo(regs);
            (_stacks[at], _ownsStackAfter) = (_stackAfter, false);
            return true;
        }

        var changed = false;
        for (var r = 0; r < Regs; r++)
        {
            var joined = FramePlace.Join(regs[r], _regsAfter[r]);
            changed |= joined != regs[r];
            regs[r] = joined;
        }

        return JoinStack(ref _stacks[at]) || changed;
    }

    private bool JoinStack(ref FramePlace[]? into)
    {
        if (ReferenceEquals(into, _stackAfter))
        {
            return false;
        }

        FramePlace[]? joined = null;
        for (var i = 0; i < Slots; i++)
        {
            var old = into is null ? FramePlace.None : into[i];
            var place = FramePlace.Join(old, _stackAfter is null ? FramePlace.None : _stackAfter[i]);
            if (place != old)
            {
                joined ??= Copy(into);
                joined[i] = place;
            }
        }

        into = joined ?? into;
        return joined is not null;
    }

    private static FramePlace[] Copy(FramePlace[]? stack) => stack is null ? new FramePlace[Slots] : [.. stack];

    private void Step(in BpfInsn insn)
    {
        ref var dst = ref _regsAfter[insn.Dst];
        switch (insn.Class)
        {
            case InsnClass.Alu64:
                dst = AfterAlu(insn, dst, _regsAfter[insn.Src]);
                break;
            case InsnClass.Alu:
            case InsnClass.Ld when (insn.Opcode & BpfOp.ModeMask) == BpfOp.Imm:
                dst = FramePlace.None;
                break;
            case InsnClass.Jmp when (insn.Opcode & BpfOp.OpMask) == BpfOp.Call:
                _regsAfter.AsSpan(0, 6).Clear();
                break;
            case InsnClass.Ldx:
                dst = Load(insn);
                break;
            case InsnClass.Stx:
                StepStx(insn);
                break;
            case InsnClass.St when (insn.Opcode & BpfOp.ModeMask) == BpfOp.Mem && MayBeOwn(insn.Dst):
                Forget(insn);
                break;
        }
    }

    private static FramePlace AfterAlu(in BpfInsn insn, in FramePlace dst, in FramePlace src)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if ((insn.Opcode & BpfOp.X) != 0)
        {
            return op != BpfOp.Mov ? FramePlace.Mix(dst, src) : insn.Off == 0 ? src : FramePlace.None;
        }

        return op == BpfOp.Mov ? FramePlace.None
            : dst.Frame < 0 ? dst
            : op switch
            {
                BpfOp.Add => dst.Plus(insn.Imm),
                BpfOp.Sub => dst.Plus(-(long)insn.Imm),
                _ => FramePlace.AnywhereIn(dst.Frame),
            };
    }

    /// <summary>Whether a register may point into the function's own frame.</summary>
    private bool MayBeOwn(int regno) => regno == Fp || (_regsAfter[regno].Frames & (1 << _depth)) != 0;

    private FramePlace Load(in BpfInsn insn)
    {
        ref readonly var src = ref _regsAfter[insn.Src];
        if ((insn.Opcode & BpfOp.ModeMask) != BpfOp.Mem || insn.AccessBytes != 8)
        {
            return FramePlace.None;
        }

        if (MayBeOwn(insn.Src))
        {
            return Fill(insn, _stackAfter, _depth);
        }

        return src.Frame >= 0 ? Fill(insn, _stackOfCaller(src.Frame), src.Frame) : src;
    }

    /// <summary>What is loaded from slots (<c>fill_from_stack</c>).</summary>
    private FramePlace Fill(in BpfInsn insn, FramePlace[]? stack, int frame)
    {
        var unknown = FramePlace.Somewhere((1 << (frame + 1)) - 1);
        if (insn.Src == Fp)
        {
            return SlotAt(insn.Off) is >= 0 and var own ? PlaceIn(stack, own) : unknown;
        }

        ref readonly var src = ref _regsAfter[insn.Src];
        var loaded = FramePlace.None;
        for (var i = 0; i < src.OffsetCount; i++)
        {
            if (!FramePlace.TryAdd(src[i], insn.Off, out var off) || SlotAt(off) is not (>= 0 and var slot))
            {
                return unknown;
            }

            loaded = FramePlace.Join(loaded, PlaceIn(stack, slot));
        }

        return src.OffsetCount == 0 ? unknown : loaded;
    }

    private static FramePlace PlaceIn(FramePlace[]? stack, int slot) => stack is null ? FramePlace.None : stack[slot];

    private void StepStx(in BpfInsn insn)
    {
        var isPlain = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Mem;
        if (MayBeOwn(insn.Dst))
        {
            if (isPlain)
            {
                Spill(insn, insn.AccessBytes == 8 ? _regsAfter[insn.Src] : FramePlace.None);
            }
            else if (!insn.IsLoadAcquire)
            {
                Forget(insn);
            }
        }

        if (insn.LoadedReg >= 0)
        {
            _regsAfter[insn.LoadedReg] = FramePlace.None;
        }
    }

    /// <summary>A register is stored in one slot for certain, or in one of some (<c>spill_to_stack</c>).</summary>
    private void Spill(in BpfInsn insn, in FramePlace value)
    {
        if (insn.Dst == Fp)
        {
            Put(SlotAt(insn.Off), value, isSure: true);
            return;
        }

        ref readonly var dst = ref _regsAfter[insn.Dst];
        for (var slot = 0; dst.OffsetCount == 0 && slot < Slots; slot++)
        {
            Put(slot, value, isSure: false);
        }

        for (var i = 0; i < dst.OffsetCount; i++)
        {
            if (FramePlace.TryAdd(dst[i], insn.Off, out var off))
            {
                Put(SlotAt(off), value, isSure: dst.OffsetCount == 1);
            }
        }
    }

    /// <summary>Something else is stored over slots (<c>clear_stack_for_all_offs</c>).</summary>
    private void Forget(in BpfInsn insn)
    {
        var size = insn.AccessBytes;
        if (insn.Dst == Fp)
        {
            ForgetAt(insn.Off, size, isSure: true);
            return;
        }

        ref readonly var dst = ref _regsAfter[insn.Dst];
        var isAnywhere = dst.OffsetCount == 0;
        for (var i = 0; i < dst.OffsetCount && !isAnywhere; i++)
        {
            isAnywhere = !FramePlace.TryAdd(dst[i], insn.Off, out var off);
            if (!isAnywhere)
            {
                ForgetAt(off, size, isSure: dst.OffsetCount == 1);
            }
        }

        for (var slot = 0; isAnywhere && slot < Slots; slot++)
        {
            Put(slot, FramePlace.None, isSure: false);
        }
    }

    private void ForgetAt(int off, int size, bool isSure)
    {
        for (var slot = 0; slot < Slots; slot++)
        {
            var start = -8 * (slot + 1);
            if (start < off + size && start + 8 > off)
            {
                Put(slot, FramePlace.None, isSure);
            }
        }
    }

    private void Put(int slot, in FramePlace value, bool isSure)
    {
        if (slot < 0)
        {
            return;
        }

        var old = PlaceIn(_stackAfter, slot);
        var place = isSure ? value : FramePlace.Join(old, value);
        if (place == old)
        {
            return;
        }

        if (!_ownsStackAfter)
        {
            (_stackAfter, _ownsStackAfter) = (Copy(_stackAfter), true);
        }

        _stackAfter![slot] = place;
    }

    /// <summary>The slot that starts at an offset, or -1.</summary>
    private static int SlotAt(int off) => off is < 0 and >= -Limits.MaxBpfStack && off % 8 == 0 ? (-off / 8) - 1 : -1;
}
