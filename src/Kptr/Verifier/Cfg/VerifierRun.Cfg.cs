using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <content>The walk over the control flow graph: reachability, back edges, and where states are compared.</content>
internal sealed partial class VerifierRun
{
    private const int Discovered = 0x10;
    private const int Explored = 0x20;
    private const int Fallthrough = 1;
    private const int Branch = 2;
    private int[] _cfgState = [];
    private int[] _cfgStack = [];
    private int _cfgDepth;

    /// <summary>Kernel: <c>check_cfg</c>.</summary>
    private void CheckCfg()
    {
        _cfgState = new int[Insns.Length];
        _cfgStack = new int[Insns.Length];
        WalkCfgFrom(0);
        if (ExceptionCallbackSubprog != 0)
        {
            WalkCfgFrom(Subprogs[ExceptionCallbackSubprog].Start);
        }

        for (var i = 0; i < Insns.Length; i++)
        {
            InsnIdx = i;
            if (_cfgState[i] != Explored)
            {
                Reject(DiagCode.UnreachableInsn, $"unreachable insn {i}");
            }

            if (Insns[i].Opcode == BpfOp.LdImm64)
            {
                if (_cfgState[i + 1] != 0)
                {
                    Reject(DiagCode.JumpOutOfRange, $"jump into the middle of ldimm64 insn {i}");
                }

                i++;
            }
        }

        InsnIdx = 0;
    }

    private void WalkCfgFrom(int start)
    {
        _cfgState[start] = Discovered;
        _cfgStack[0] = start;
        _cfgDepth = 1;
        while (_cfgDepth > 0)
        {
            var at = _cfgStack[_cfgDepth - 1];
            InsnIdx = at;
            if (!Visit(at))
            {
                _cfgState[at] = Explored;
                _cfgDepth--;
            }
        }
    }

    /// <summary>Follows the next edge out of an instruction (<c>visit_insn</c>).</summary>
    /// <returns>True if an edge led somewhere new, false when the instruction is done.</returns>
    private bool Visit(int at)
    {
        ref readonly var insn = ref Insns[at];
        if (IsPseudoFunc(insn))
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
                return VisitCall(at, insn.Src == BpfOp.PseudoCall);
            case BpfOp.Ja:
                return VisitJump(at, insn);
            default:
                Aux[at].PrunePoint = true;
                if (IsMayGoto(insn))
                {
                    Aux[at].ForceCheckpoint = true;
                }

                return PushEdge(at, at + 1, Fallthrough) || PushEdge(at, at + insn.Off + 1, Branch);
        }
    }

    private bool VisitJump(int at, in BpfInsn insn)
    {
        if ((insn.Opcode & BpfOp.X) != 0)
        {
            Reject(DiagCode.InsnReservedField, "BPF_JA uses reserved fields");
        }

        var target = at + 1 + (insn.Class == InsnClass.Jmp ? insn.Off : insn.Imm);
        if (PushEdge(at, target, Fallthrough))
        {
            return true;
        }

        ref var aux = ref Aux[target];
        aux.PrunePoint = aux.JmpPoint = aux.JumpTarget = true;
        return false;
    }

    private bool VisitCall(int at, bool visitCallee)
    {
        var next = at + (Insns[at].Opcode == BpfOp.LdImm64 ? 2 : 1);
        if (PushEdge(at, next, Fallthrough))
        {
            return true;
        }

        if (next < Insns.Length)
        {
            Aux[next].PrunePoint = Aux[next].JmpPoint = true;
        }

        if (!visitCallee)
        {
            return false;
        }

        var callee = at + Insns[at].Imm + 1;
        Aux[at].PrunePoint = true;
        MergeEffects(Subprogs[ContainingSubprog(at)], Subprogs[FindSubprog(callee)]);

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
        var traits = TraitsOf(insn);
        ref var aux = ref Aux[at];
        if ((traits & CallTraits.AsyncCallback) != 0)
        {
            aux.PrunePoint = true;
        }

        if ((traits & CallTraits.SyncCallback) != 0)
        {
            aux.CallsCallback = aux.ForceCheckpoint = aux.PrunePoint = aux.JmpPoint = true;
        }

        if ((traits & CallTraits.ChangesPktData) != 0)
        {
            Subprogs[ContainingSubprog(at)].ChangesPktData = true;
        }

        if ((traits & CallTraits.MightSleep) != 0)
        {
            Subprogs[ContainingSubprog(at)].MightSleep = true;
        }

        if ((traits & CallTraits.Throw) != 0)
        {
            Subprogs[ContainingSubprog(at)].MightThrow = true;
        }

        if ((traits & CallTraits.IterNext) != 0)
        {
            aux.PrunePoint = aux.ForceCheckpoint = true;
        }
    }

    /// <summary>Kernel: <c>push_insn</c>.</summary>
    private bool PushEdge(int from, int to, int edge)
    {
        if (_cfgState[from] >= (Discovered | edge))
        {
            return false;
        }

        if (to < 0 || to >= Insns.Length)
        {
            Reject(DiagCode.JumpOutOfRange, $"jump out of range from insn {from} to {to}");
        }

        if (edge == Branch)
        {
            ref var aux = ref Aux[to];
            aux.PrunePoint = aux.JmpPoint = aux.JumpTarget = true;
        }

        if (_cfgState[to] == 0)
        {
            _cfgState[from] = Discovered | edge;
            _cfgState[to] = Discovered;
            if (_cfgDepth >= Insns.Length)
            {
                Reject(DiagCode.ComplexityExceeded, "too many branches", errno: Errno.E2BIG);
            }

            _cfgStack[_cfgDepth++] = to;
            return true;
        }

        if ((_cfgState[to] & 0xf0) == Discovered)
        {
            if (!BpfCapable)
            {
                Reject(DiagCode.BackEdge, $"back-edge from insn {from} to {to}");
            }
        }
        else
        {
            _cfgState[from] = Discovered | edge;
        }

        return false;
    }

    private static bool IsMayGoto(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Jcond) && insn.Src == 0;
}
