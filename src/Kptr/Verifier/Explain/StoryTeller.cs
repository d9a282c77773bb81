using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>Tells how execution came to a fault: the instructions of the failing path, told by what matters on them.</summary>
internal sealed class StoryTeller(VerifierRun run)
{
    private const int StepsMax = 200;
    private readonly List<StoryStep> _steps = [];
    private readonly HashSet<string> _holders = [];

    /// <summary>The story of a refusal.</summary>
    public VerifyStory Tell(Diagnostic fault)
    {
        var path = run.PathToHere();
        var acquired = fault.AcquiredAtInsn ?? -1;
        for (var i = 0; i < path.Count; i++)
        {
            TellStep(path, i, acquired);
        }

        var at = fault.InsnIdx ?? run.InsnIdx;
        Add(at, StoryStepKind.Fault, FaultText(fault));
        if (_steps.Count > StepsMax)
        {
            _steps.RemoveRange(0, _steps.Count - StepsMax);
        }

        return new([.. _steps], Suggestions.For(fault, run.SourceAt(acquired), _steps.FindLast(s => s.Kind == StoryStepKind.Released)?.Source));
    }

    private void TellStep(List<int> path, int i, int acquired)
    {
        var idx = path[i];
        ref readonly var insn = ref run.Insns[idx];
        var next = i + 1 < path.Count ? path[i + 1] : -1;
        if (insn.Class is InsnClass.Jmp or InsnClass.Jmp32)
        {
            TellJump(insn, idx, next, acquired);
        }
        else if (_holders.Count > 0)
        {
            TellMove(insn, idx);
        }
    }

    private void TellJump(in BpfInsn insn, int idx, int next, int acquired)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                TellCall(insn, idx, acquired);
                break;
            case BpfOp.Exit when next >= 0:
                Add(idx, StoryStepKind.Call, "returns to its caller");
                break;
            case BpfOp.Exit or BpfOp.Ja:
                break;
            default:
                if (next >= 0)
                {
                    var taken = next == idx + 1 + insn.Off && insn.Off != 0;
                    Add(idx, StoryStepKind.Branch, (taken ? "jumps at: " : "falls through at: ") + run.TextOf(idx));
                }

                break;
        }
    }

    private void TellCall(in BpfInsn insn, int idx, int acquired)
    {
        if (insn.Src == BpfOp.PseudoCall)
        {
            Add(idx, StoryStepKind.Call, "calls " + run.CalleeName(idx));
            return;
        }

        ref readonly var aux = ref run.Aux[idx];
        if (idx == acquired)
        {
            _holders.Clear();
            _holders.Add("r0");
            Add(idx, StoryStepKind.Acquired, $"{run.CalleeName(idx)} takes the reference, into r0");
        }
        else if (aux.Releases)
        {
            Add(idx, StoryStepKind.Released, $"{run.CalleeName(idx)} takes over or gives back the reference in its argument");
        }
        else if (aux.Acquires)
        {
            Add(idx, StoryStepKind.Acquired, $"{run.CalleeName(idx)} takes a reference");
        }

        if (idx != acquired)
        {
            _holders.RemoveWhere(h => h is "r0" or "r1" or "r2" or "r3" or "r4" or "r5");
        }
    }

    private void TellMove(in BpfInsn insn, int idx)
    {
        var dst = string.Create(CultureInfo.InvariantCulture, $"r{insn.Dst}");
        var src = string.Create(CultureInfo.InvariantCulture, $"r{insn.Src}");
        var slot = string.Create(CultureInfo.InvariantCulture, $"fp{insn.Off}");
        switch (insn.Class)
        {
            case InsnClass.Alu64 when (insn.Opcode & (BpfOp.OpMask | BpfOp.X)) == (BpfOp.Mov | BpfOp.X):
                Move(idx, src, dst, $"copies the reference from {src} to {dst}");
                break;
            case InsnClass.Stx when insn.Dst == 10:
                Move(idx, src, slot, $"spills the reference from {src} to the stack at {slot}");
                break;
            case InsnClass.Ldx when insn.Src == 10:
                Move(idx, string.Create(CultureInfo.InvariantCulture, $"fp{insn.Off}"), dst, $"loads the reference from {slot} into {dst}");
                break;
            case InsnClass.Alu or InsnClass.Alu64 or InsnClass.Ldx or InsnClass.Ld:
                if (_holders.Remove(dst) && _holders.Count == 0)
                {
                    Add(idx, StoryStepKind.Moved, $"overwrites {dst}, the last place that held the reference");
                }

                break;
            case InsnClass.St when insn.Dst == 10:
                _holders.Remove(slot);
                break;
            default:
                break;
        }
    }

    private void Move(int idx, string from, string to, string text)
    {
        if (_holders.Contains(from))
        {
            if (_holders.Add(to))
            {
                Add(idx, StoryStepKind.Moved, text);
            }
        }
        else if (_holders.Remove(to) && _holders.Count == 0)
        {
            Add(idx, StoryStepKind.Moved, $"overwrites {to}, the last place that held the reference");
        }
    }

    private static string FaultText(Diagnostic fault) => fault.Code == DiagCode.UnreleasedRef
        ? "the path ends here and the reference is still owned"
        : fault.Message;

    private void Add(int insnIdx, StoryStepKind kind, string text) =>
        _steps.Add(new(insnIdx, kind, text, run.SourceAt(insnIdx), run.LineAt(insnIdx)?.Text.Trim()));
}
