using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>
/// The walk over the control flow graph: reachability, back edges, where states are compared, and what functions do.
/// </summary>
/// <param name="insns">The instructions.</param>
/// <param name="subprogs">Their functions; what they do is noted in them.</param>
/// <param name="loopsAllowed">Whether back edges are taken (<c>bpf_capable</c>).</param>
/// <param name="calls">What is known of the calls.</param>
internal sealed class CfgWalk(BpfInsn[] insns, SubprogTable subprogs, bool loopsAllowed, ICallFacts calls)
{
    private const int Discovered = 0x10;
    private const int Explored = 0x20;
    private const int Fallthrough = 1;
    private const int Branch = 2;
    private const CodeMarks Target = CodeMarks.PrunePoint | CodeMarks.JmpPoint | CodeMarks.JumpTarget;
    private readonly CodeMarks[] _marks = new CodeMarks[insns.Length];
    private readonly int[] _state = new int[insns.Length];
    private readonly int[] _stack = new int[insns.Length];
    private int _depth;

    /// <summary>Walks it all, once. Kernel: <c>check_cfg</c>.</summary>
    /// <returns>The marks of each instruction.</returns>
    public CodeMarks[] Run()
    {
        WalkFrom(0);
        if (subprogs.ExceptionCallback != 0)
        {
            WalkFrom(subprogs[subprogs.ExceptionCallback].Start);
        }

        for (var i = 0; i < insns.Length; i++)
        {
            if (_state[i] != Explored)
            {
                Refusal.At(i, DiagCode.UnreachableInsn, $"unreachable insn {i}");
            }

            if (insns[i].Opcode == BpfOp.LdImm64)
            {
                if (_state[i + 1] != 0)
                {
                    Refusal.At(i, DiagCode.JumpOutOfRange, $"jump into the middle of ldimm64 insn {i}");
                }

                i++;
            }
        }

        return _marks;
    }

    private void WalkFrom(int start)
    {
        _state[start] = Discovered;
        _stack[0] = start;
        _depth = 1;
        while (_depth > 0)
        {
            var at = _stack[_depth - 1];
            if (!Visit(at))
            {
                _state[at] = Explored;
                _depth--;
            }
        }
    }

    /// <summary>Follows the next edge out of an instruction (<c>visit_insn</c>).</summary>
    /// <returns>True if an edge led somewhere new, false when the instruction is done.</returns>
    private bool Visit(int at)
    {
        ref readonly var insn = ref insns[at];
        if (insn.IsFuncAddress)
        {
            return VisitCall(at, visitCallee: true);
        }

        if (insn.Class is not (InsnClass.Jmp or InsnClass.Jmp32))
        {
            return PushEdge(at, at + (insn.Opcode == BpfOp.LdImm64 ? 2 : 1), Fallthrough);
        }

        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Exit:
                return false;
            case BpfOp.Call:
                MarkCall(at, insn);
                return VisitCall(at, insn.IsLocalCall);
            case BpfOp.Ja:
                return VisitJump(at, insn);
            default:
                _marks[at] |= insn.IsMayGoto ? CodeMarks.PrunePoint | CodeMarks.ForceCheckpoint : CodeMarks.PrunePoint;

                return PushEdge(at, at + 1, Fallthrough) || PushEdge(at, at + insn.Off + 1, Branch);
        }
    }

    private bool VisitJump(int at, in BpfInsn insn)
    {
        if ((insn.Opcode & BpfOp.X) != 0)
        {
            Refusal.At(at, DiagCode.InsnReservedField, "BPF_JA uses reserved fields");
        }

        var target = at + 1 + (insn.Class == InsnClass.Jmp ? insn.Off : insn.Imm);
        if (PushEdge(at, target, Fallthrough))
        {
            return true;
        }

        _marks[target] |= Target;
        return false;
    }

    private bool VisitCall(int at, bool visitCallee)
    {
        var next = at + (insns[at].Opcode == BpfOp.LdImm64 ? 2 : 1);
        if (PushEdge(at, next, Fallthrough))
        {
            return true;
        }

        if (next < insns.Length)
        {
            _marks[next] |= CodeMarks.PrunePoint | CodeMarks.JmpPoint;
        }

        if (!visitCallee)
        {
            return false;
        }

        var callee = at + insns[at].Imm + 1;
        _marks[at] |= CodeMarks.PrunePoint;
        MergeEffects(subprogs[subprogs.Containing(at)], subprogs[subprogs.Find(callee)]);

        return PushEdge(at, callee, Branch);
    }

    // The walk visits a call again once its callee is explored: what the callee does is known then.
    private static void MergeEffects(SubprogInfo caller, SubprogInfo callee)
    {
        caller.ChangesPktData |= callee.ChangesPktData;
        caller.MightSleep |= callee.MightSleep;
        caller.MightThrow |= callee.MightThrow;
    }

    private void MarkCall(int at, in BpfInsn insn)
    {
        var traits = calls.TraitsOf(insn);
        if ((traits & CallTraits.AsyncCallback) != 0)
        {
            _marks[at] |= CodeMarks.PrunePoint;
        }

        if ((traits & CallTraits.SyncCallback) != 0)
        {
            _marks[at] |= CodeMarks.CallsCallback | CodeMarks.ForceCheckpoint | CodeMarks.PrunePoint
                | CodeMarks.JmpPoint;
        }

        if ((traits & CallTraits.IterNext) != 0)
        {
            _marks[at] |= CodeMarks.PrunePoint | CodeMarks.ForceCheckpoint;
        }

        var sub = subprogs[subprogs.Containing(at)];
        sub.ChangesPktData |= (traits & CallTraits.ChangesPktData) != 0;
        sub.MightSleep |= (traits & CallTraits.MightSleep) != 0;
        sub.MightThrow |= (traits & CallTraits.Throw) != 0;
    }

    /// <summary>Kernel: <c>push_insn</c>.</summary>
    private bool PushEdge(int from, int to, int edge)
    {
        if (_state[from] >= (Discovered | edge))
        {
            return false;
        }

        if (to < 0 || to >= insns.Length)
        {
            Refusal.At(from, DiagCode.JumpOutOfRange, $"jump out of range from insn {from} to {to}");
        }

        if (edge == Branch)
        {
            _marks[to] |= Target;
        }

        if (_state[to] == 0)
        {
            _state[from] = Discovered | edge;
            _state[to] = Discovered;
            if (_depth >= insns.Length)
            {
                Refusal.At(from, DiagCode.ComplexityExceeded, "too many branches", Errno.E2BIG);
            }

            _stack[_depth++] = to;
            return true;
        }

        if ((_state[to] & 0xf0) == Discovered)
        {
            if (!loopsAllowed)
            {
                Refusal.At(from, DiagCode.BackEdge, $"back-edge from insn {from} to {to}");
            }
        }
        else
        {
            _state[from] = Discovered | edge;
        }

        return false;
    }
}
