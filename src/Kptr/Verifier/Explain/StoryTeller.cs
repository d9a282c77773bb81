using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>Tells how execution came to a fault: the instructions of the failing path, told by what matters on them.</summary>
internal sealed class StoryTeller
{
    private const int StepsMax = 200;
    private readonly VerifierRun _run;
    private readonly List<int> _path;
    private readonly List<StoryStep> _steps = [];

    /// <summary>Registers and stack slots that hold the reference the story is about; stale once it was given back.</summary>
    private readonly HashSet<string> _holders = [];
    private int _acquired;
    private int _released = -1;

    public StoryTeller(VerifierRun run)
    {
        _run = run;
        _path = run.PathToHere();
    }

    /// <summary>Where the reference the story is about was given back before the fault used it; -1 where it was not.</summary>
    public int ReleasedAt { get; private set; } = -1;

    /// <summary>Where it was taken; -1 where the story is about none.</summary>
    public int AcquiredAt => _acquired;

    /// <summary>The story of a refusal.</summary>
    public VerifyStory Tell(Diagnostic fault)
    {
        _acquired = fault.AcquiredAtInsn ?? LastReleasedAcquire();
        for (var i = 0; i < _path.Count; i++)
        {
            TellStep(_path[i], i + 1 < _path.Count ? _path[i + 1] : -1);
        }

        var at = fault.InsnIdx ?? _run.InsnIdx;
        if (_released >= 0 && UsesHolder(fault, _run.Insns[at]))
        {
            ReleasedAt = _released;
        }

        Add(at, StoryStepKind.Fault, FaultText(fault));
        if (_steps.Count > StepsMax)
        {
            _steps.RemoveRange(0, _steps.Count - StepsMax);
        }

        return new([.. _steps], ReleasedAt >= 0
            ? $"A pointer is gone once its reference is given away, at {Place(ReleasedAt)}: use it before, or acquire another reference first."
            : Suggestions.For(fault, _run.SourceAt(_acquired)));
    }

    /// <summary>The acquisition that the last release on the path most likely gave back.</summary>
    private int LastReleasedAcquire()
    {
        var acquired = -1;
        var found = -1;
        foreach (var idx in _path)
        {
            found = _run.Aux[idx].Releases ? acquired : found;
            acquired = _run.Aux[idx].Acquires ? idx : acquired;
        }

        return found;
    }

    private bool UsesHolder(Diagnostic fault, in BpfInsn insn)
    {
        if (fault.Reg is { } reg)
        {
            return _holders.Contains(Name(reg));
        }

        var isCall = insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call;
        return isCall && Enumerable.Range(1, 5).Any(r => _holders.Contains(Name(r)));
    }

    private void TellStep(int idx, int next)
    {
        ref readonly var insn = ref _run.Insns[idx];
        if (insn.Class is InsnClass.Jmp or InsnClass.Jmp32)
        {
            TellJump(insn, idx, next);
        }
        else if (_holders.Count > 0)
        {
            TellMove(insn, idx);
        }
    }

    private void TellJump(in BpfInsn insn, int idx, int next)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                TellCall(insn, idx, isFault: next < 0);
                break;
            case BpfOp.Exit when next >= 0:
                Add(idx, StoryStepKind.Call, "returns to its caller");
                break;
            case BpfOp.Exit or BpfOp.Ja:
                break;
            default:
                if (next >= 0)
                {
                    var jumps = next == idx + 1 + insn.Off && insn.Off != 0;
                    Add(idx, StoryStepKind.Branch, (jumps ? "jumps at: " : "falls through at: ") + _run.TextOf(idx));
                }

                break;
        }
    }

    private void TellCall(in BpfInsn insn, int idx, bool isFault)
    {
        var name = _run.CalleeName(idx);
        if (insn.Src == BpfOp.PseudoCall)
        {
            Add(idx, StoryStepKind.Call, "calls " + name);
            return;
        }

        if (isFault)
        {
            return;
        }

        ref readonly var aux = ref _run.Aux[idx];
        if (aux.Releases && Enumerable.Range(1, 5).Any(r => _holders.Contains(Name(r))))
        {
            _released = idx;
            Add(idx, StoryStepKind.Released, $"{name} takes the reference back");
        }

        _holders.RemoveWhere(h => h is "r0" or "r1" or "r2" or "r3" or "r4" or "r5");
        if (idx == _acquired)
        {
            _holders.Clear();
            _holders.Add("r0");
            _released = -1;
            Add(idx, StoryStepKind.Acquired, $"{name} takes the reference, into r0");
        }
        else if (aux.Acquires)
        {
            Add(idx, StoryStepKind.Acquired, $"{name} takes a reference");
        }
    }

    private void TellMove(in BpfInsn insn, int idx)
    {
        string dst = Name(insn.Dst), src = Name(insn.Src), slot = "fp" + insn.Off.ToString(CultureInfo.InvariantCulture);
        switch (insn.Class)
        {
            case InsnClass.Alu64 when (insn.Opcode & (BpfOp.OpMask | BpfOp.X)) == (BpfOp.Mov | BpfOp.X):
                Move(idx, src, dst, $"copies the reference from {src} to {dst}");
                break;
            case InsnClass.Stx when insn.Dst == 10:
                Move(idx, src, slot, $"spills the reference from {src} to the stack at {slot}");
                break;
            case InsnClass.Ldx when insn.Src == 10:
                Move(idx, slot, dst, $"loads the reference from {slot} into {dst}");
                break;
            case InsnClass.Alu or InsnClass.Alu64 or InsnClass.Ldx or InsnClass.Ld:
                Overwrite(idx, dst);
                break;
            case InsnClass.St when insn.Dst == 10:
                Overwrite(idx, slot);
                break;
            default:
                break;
        }
    }

    private void Move(int idx, string from, string to, string text)
    {
        if (!_holders.Contains(from))
        {
            Overwrite(idx, to);
        }
        else if (_holders.Add(to) && _released < 0)
        {
            Add(idx, StoryStepKind.Moved, text);
        }
    }

    private void Overwrite(int idx, string holder)
    {
        if (_holders.Remove(holder) && _holders.Count == 0 && _released < 0)
        {
            Add(idx, StoryStepKind.Moved, $"overwrites {holder}, the last place that held the reference");
        }
    }

    private static string FaultText(Diagnostic fault) => fault.Code == DiagCode.UnreleasedRef
        ? "the path ends here and the reference is still owned"
        : fault.Message;

    private static string Name(int reg) => "r" + reg.ToString(CultureInfo.InvariantCulture);

    private string Place(int insnIdx) =>
        _run.SourceAt(insnIdx) ?? "instruction " + insnIdx.ToString(CultureInfo.InvariantCulture);

    private void Add(int insnIdx, StoryStepKind kind, string text) =>
        _steps.Add(new(insnIdx, kind, text, _run.SourceAt(insnIdx), _run.LineAt(insnIdx)?.Text.Trim()));
}
