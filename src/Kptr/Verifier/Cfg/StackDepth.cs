using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier.Cfg;

/// <summary>The deepest stack any chain of calls needs, once the stack of each function is known.</summary>
/// <param name="insns">The instructions.</param>
/// <param name="subprogs">Their functions; whether a tail call may follow is noted in them.</param>
/// <param name="profile">How deep stacks may be and how they are rounded.</param>
/// <param name="calls">What is known of the calls.</param>
/// <param name="at">The instruction that a refusal of a whole chain names.</param>
internal sealed class StackDepth(
    BpfInsn[] insns, SubprogTable subprogs, KernelProfile profile, ICallFacts calls, int at)
{
    private const int TailCallStackMax = 256;

    // Functions that need less share the stack of their caller (BPF_PRIV_STACK_MIN_SIZE).
    private const int PrivateStackMin = 64;

    private readonly bool[] _onKernelStack = new bool[subprogs.Count];
    private readonly bool[] _onPrivateStack = new bool[subprogs.Count];

    /// <summary>The deepest stack of all chains, or of one function that has a stack of its own.</summary>
    public int Deepest { get; private set; }

    /// <summary>Kernel: <c>check_max_stack_depth</c>, with a JIT.</summary>
    /// <param name="privateStacks">
    /// Whether large functions of the main program run on stacks of their own, unless an async callback calls them.
    /// </param>
    public void Check(bool privateStacks = false)
    {
        for (var i = subprogs.Count - 1; i >= 0; i--)
        {
            if (i == 0 || subprogs[i].IsAsyncCallback)
            {
                CheckFrom(i, i == 0 && privateStacks && !subprogs.Any(s => s.HasTailCall));
            }
        }
    }

    private void CheckFrom(int root, bool privateStacks)
    {
        var frames = new Stack<(int Insn, int Subprog, int Frame)>();
        var tailCallReachable = false;
        int depth = 0, idx = root, frame = 0;
        EnterFunc(idx, frames, privateStacks, ref depth);
        var i = subprogs[idx].Start;
        while (true)
        {
            var callee = NextCallee(ref i, idx, frames);
            if (callee >= 0)
            {
                frames.Push((i + 1, idx, frame));
                idx = callee;
                i = subprogs[idx].Start;
                tailCallReachable |= subprogs[idx].HasTailCall;
                frame = profile.GlobalsStartFrames && subprogs[idx].IsGlobal ? 0 : frame + 1;

                // A longer chain than there are functions repeats one, as a callback that registers its caller.
                var isEndless = frames.Count > subprogs.Count + profile.CallFramesMax;
                if (frame >= profile.CallFramesMax || isEndless)
                {
                    Refusal.At(at, DiagCode.CallDepthExceeded,
                        $"the call stack of {(isEndless ? frames.Count : frame)} frames is too deep !", Errno.E2BIG);
                }

                EnterFunc(idx, frames, privateStacks, ref depth);
                continue;
            }

            if (tailCallReachable)
            {
                MarkTailCallReachable(frames);
            }

            if (frames.Count == 0)
            {
                return;
            }

            depth -= _onPrivateStack[idx] ? 0 : RoundStack(subprogs[idx].StackDepth);
            (i, idx, frame) = frames.Pop();
        }
    }

    private void EnterFunc(
        int idx, Stack<(int Insn, int Subprog, int Frame)> frames, bool privateStacks, ref int depth)
    {
        var sub = subprogs[idx];
        if (sub.HasLdAbs && (sub.IsCallback || frames.Any(f => subprogs[f.Subprog].IsCallback)))
        {
            Refusal.At(at, DiagCode.CallNotAllowedHere, "cannot use BPF_LD_[ABS|IND] within callback");
        }

        if (idx != 0 && sub.HasTailCall && depth >= TailCallStackMax)
        {
            Refusal.At(at, DiagCode.StackDepthExceeded,
                $"tail_calls are not allowed when call stack of previous frames is {depth} bytes. Too large",
                Errno.EACCES);
        }

        var own = RoundStack(sub.StackDepth);
        _onKernelStack[idx] |= !privateStacks;
        _onPrivateStack[idx] = privateStacks && !_onKernelStack[idx] && own >= PrivateStackMin;
        if (_onPrivateStack[idx])
        {
            Deepest = Math.Max(Deepest, own);
            if (own > Limits.MaxBpfStack)
            {
                Refusal.At(at, DiagCode.StackDepthExceeded,
                    $"stack size of subprog {idx} is {own}. Too large", Errno.EACCES);
            }

            return;
        }

        depth += own;
        Deepest = Math.Max(Deepest, depth);
        if (depth > Limits.MaxBpfStack)
        {
            Refusal.At(at, DiagCode.StackDepthExceeded,
                $"combined stack size of {frames.Count + 1} calls is {depth}. Too large", Errno.EACCES);
        }
    }

    /// <summary>
    /// The next function called from instruction <paramref name="i"/> on, or -1 at the end of the function.
    /// </summary>
    private int NextCallee(ref int i, int idx, Stack<(int Insn, int Subprog, int Frame)> frames)
    {
        for (; i < subprogs[idx].End; i++)
        {
            ref readonly var insn = ref insns[i];
            if (insn.IsKfuncCall && insn.Off == 0)
            {
                if ((calls.TraitsOf(insn) & CallTraits.Throw) != 0
                    && (subprogs[idx].IsCallback || frames.Any(f => subprogs[f.Subprog].IsCallback)))
                {
                    Refusal.At(i, DiagCode.CallNotAllowedHere,
                        $"bpf_throw kfunc (insn {i}) cannot be called from callback subprog {idx}");
                }

                continue;
            }

            if (!insn.IsLocalCall && !insn.IsFuncAddress)
            {
                continue;
            }

            var callee = subprogs.Find(i + insn.Imm + 1);
            if (!subprogs[callee].IsAsyncCallback)
            {
                return callee;
            }

            Invariant.That(!subprogs[callee].HasTailCall
                || subprogs[callee].IsExceptionCallback, "an async callback has a tail call");
            if (!insn.IsLocalCall)
            {
                continue;
            }

            if (subprogs[callee].IsExceptionCallback)
            {
                Refusal.At(i, DiagCode.ExceptionCallbackInvalid, $"insn {i} cannot call exception cb directly");
            }

            return callee;
        }

        return -1;
    }

    private void MarkTailCallReachable(Stack<(int Insn, int Subprog, int Frame)> frames)
    {
        foreach (var (_, subprog, _) in frames)
        {
            if (subprogs[subprog].IsExceptionCallback)
            {
                Refusal.At(at, DiagCode.ExceptionCallbackInvalid, "cannot tail call within exception cb");
            }

            subprogs[subprog].TailCallReachable = true;
        }
    }

    // Where the interpreter's granularity counts (32), a function without a stack takes one as well.
    private int RoundStack(int bytes)
    {
        var align = profile.StackAlignBytes;
        return ((align > 16 ? Math.Max(bytes, 1) : bytes) + align - 1) & -align;
    }
}
