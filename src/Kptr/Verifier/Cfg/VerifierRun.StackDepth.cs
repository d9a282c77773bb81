using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <content>The deepest stack any chain of calls needs.</content>
internal sealed partial class VerifierRun
{
    private const int TailCallStackMax = 256;

    /// <summary>Kernel: <c>check_max_stack_depth</c>, with a JIT and without private stacks.</summary>
    private void CheckMaxStackDepth()
    {
        for (var i = Subprogs.Count - 1; i >= 0; i--)
        {
            if (i == 0 || Subprogs[i].IsAsyncCallback)
            {
                CheckStackDepthFrom(i);
            }
        }
    }

    private void CheckStackDepthFrom(int root)
    {
        var frames = new Stack<(int Insn, int Subprog)>();
        var tailCallReachable = false;
        int depth = 0, idx = root;
        EnterFunc(idx, frames, ref depth);
        var i = Subprogs[idx].Start;
        while (true)
        {
            var callee = NextCallee(ref i, idx, frames);
            if (callee >= 0)
            {
                frames.Push((i + 1, idx));
                idx = callee;
                i = Subprogs[idx].Start;
                tailCallReachable |= Subprogs[idx].HasTailCall;
                if (frames.Count >= Kernel.Profile.CallFramesMax)
                {
                    Reject(DiagCode.CallDepthExceeded, $"the call stack of {frames.Count} frames is too deep !",
                        errno: Errno.E2BIG);
                }

                EnterFunc(idx, frames, ref depth);
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

            depth -= RoundStack(Subprogs[idx].StackDepth);
            (i, idx) = frames.Pop();
        }
    }

    private void EnterFunc(int idx, Stack<(int Insn, int Subprog)> frames, ref int depth)
    {
        var sub = Subprogs[idx];
        if (sub.HasLdAbs && (sub.IsCallback || frames.Any(f => Subprogs[f.Subprog].IsCallback)))
        {
            Reject(DiagCode.CallNotAllowedHere, "cannot use BPF_LD_[ABS|IND] within callback");
        }

        if (idx != 0 && sub.HasTailCall && depth >= TailCallStackMax)
        {
            Reject(DiagCode.StackDepthExceeded,
                $"tail_calls are not allowed when call stack of previous frames is {depth} bytes. Too large",
                errno: Errno.EACCES);
        }

        depth += RoundStack(sub.StackDepth);
        if (depth > Limits.MaxBpfStack)
        {
            Reject(DiagCode.StackDepthExceeded,
                $"combined stack size of {frames.Count + 1} calls is {depth}. Too large", errno: Errno.EACCES);
        }
    }

    /// <summary>
    /// The next function called from instruction <paramref name="i"/> on, or -1 at the end of the function.
    /// </summary>
    private int NextCallee(ref int i, int idx, Stack<(int Insn, int Subprog)> frames)
    {
        for (; i < Subprogs[idx].End; i++)
        {
            ref readonly var insn = ref Insns[i];
            if (IsKfuncCall(insn) && insn.Off == 0)
            {
                if ((TraitsOf(insn) & CallTraits.Throw) != 0
                    && (Subprogs[idx].IsCallback || frames.Any(f => Subprogs[f.Subprog].IsCallback)))
                {
                    InsnIdx = i;
                    Reject(DiagCode.CallNotAllowedHere,
                        $"bpf_throw kfunc (insn {i}) cannot be called from callback subprog {idx}");
                }

                continue;
            }

            if (!insn.IsLocalCall && !IsPseudoFunc(insn))
            {
                continue;
            }

            var callee = FindSubprog(i + insn.Imm + 1);
            if (!Subprogs[callee].IsAsyncCallback)
            {
                return callee;
            }

            Invariant.That(!Subprogs[callee].HasTailCall
                || Subprogs[callee].IsExceptionCallback, "an async callback has a tail call");
            if (!insn.IsLocalCall)
            {
                continue;
            }

            if (Subprogs[callee].IsExceptionCallback)
            {
                InsnIdx = i;
                Reject(DiagCode.ExceptionCallbackInvalid, $"insn {i} cannot call exception cb directly");
            }

            return callee;
        }

        return -1;
    }

    private void MarkTailCallReachable(Stack<(int Insn, int Subprog)> frames)
    {
        foreach (var (_, subprog) in frames)
        {
            if (Subprogs[subprog].IsExceptionCallback)
            {
                Reject(DiagCode.ExceptionCallbackInvalid, "cannot tail call within exception cb");
            }

            Subprogs[subprog].TailCallReachable = true;
        }
    }

    // Where the interpreter's granularity counts (32), a function without a stack takes one as well.
    private int RoundStack(int bytes)
    {
        var align = Kernel.Profile.StackAlignBytes;
        return ((align > 16 ? Math.Max(bytes, 1) : bytes) + align - 1) & -align;
    }
}
