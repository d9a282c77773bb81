using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>
/// Tells how execution came to a fault: the instructions of the failing path, told by what matters on them.
/// </summary>
internal sealed class StoryTeller
{
    private const int StepsMax = 200;
    private readonly VerifierRun _run;
    private readonly List<int> _path;
    private readonly List<StoryStep> _steps = [];

    // Where on the path each step is, and where the telling has come to.
    private readonly List<int> _places = [];
    private int _at;
    private readonly StoryHolders _holders = new();
    private int _acquired;
    private int _released = -1;
    private int _lost = -1;

    public StoryTeller(VerifierRun run)
    {
        _run = run;
        _path = run.PathToHere();
    }

    /// <summary>
    /// Where the reference the story is about was given back before the fault used it; -1 where it was not.
    /// </summary>
    public int ReleasedAt { get; private set; } = -1;

    /// <summary>Where it was taken; -1 where the story is about none.</summary>
    public int AcquiredAt => _acquired;

    /// <summary>The story of a refusal.</summary>
    public VerifyStory Tell(Diagnostic fault)
    {
        _acquired = fault.AcquiredAtInsn ?? LastReleasedAcquire();
        for (_at = 0; _at < _path.Count; _at++)
        {
            TellStep(_path[_at], _at + 1 < _path.Count ? _path[_at + 1] : -1);
        }

        var at = fault.InsnIdx ?? _run.InsnIdx;
        if (_released >= 0 && UsesHolder(fault, _run.Insns[at]))
        {
            ReleasedAt = _released;
        }

        var origin = fault.Code == DiagCode.UnreleasedRef
            || ReleasedAt >= 0 ? null : StoryOrigin.Find(_run, _path, fault.Reg);
        if (origin is { } from)
        {
            _steps.Insert(
                _places.Count(p => p <= from.At), Step(_path[from.At], StoryStepKind.Origin, from.Text));
        }

        Add(at, StoryStepKind.Fault, FaultText(fault));
        if (_steps.Count > StepsMax)
        {
            _steps.RemoveRange(0, _steps.Count - StepsMax);
        }

        return new([.. _steps], Suggest(fault));
    }

    private string? Suggest(Diagnostic fault)
    {
        if (ReleasedAt >= 0)
        {
            return $"A pointer is gone once its reference is given away, at {Place(ReleasedAt)}: use it before, "
                + "or acquire another reference first.";
        }

        if (fault.Code != DiagCode.UnreleasedRef || _acquired < 0)
        {
            return Suggestions.For(fault.Code);
        }

        return Suggestions.ForUnreleased(_run.CalleeName(_acquired), Place(_acquired), _lost < 0 ? null : Place(_lost));
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

    private bool UsesHolder(Diagnostic fault, in BpfInsn insn) =>
        fault.Reg is { } reg ? _holders.Holds(reg) : IsCall(insn) && _holders.Argument != 0;

    private void TellStep(int idx, int next)
    {
        ref readonly var insn = ref _run.Insns[idx];
        if (insn.Class is InsnClass.Jmp or InsnClass.Jmp32)
        {
            TellJump(insn, idx, next);
        }
        else if (_holders.Any)
        {
            TellMove(insn, idx);
        }
    }

    private void TellJump(in BpfInsn insn, int idx, int next)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                TellCall(insn, idx, next);
                break;
            case BpfOp.Exit when next >= 0:
                TellReturn(idx);
                break;
            case BpfOp.Exit or BpfOp.Ja:
                break;
            default:
                if (next >= 0)
                {
                    TellBranch(insn, idx, next == idx + 1 + insn.Off && insn.Off != 0);
                }

                break;
        }
    }

    private void TellBranch(in BpfInsn insn, int idx, bool jumps)
    {
        var isNullCheck = (insn.Opcode & (BpfOp.OpMask | BpfOp.X)) is BpfOp.Jeq or BpfOp.Jne && insn.Imm == 0;
        var owned = isNullCheck && _released < 0 && _holders.Holds(insn.Dst) ? " (the reference is there)" : "";
        Add(idx, StoryStepKind.Branch, $"{(jumps ? "jumps" : "goes on")}, {StoryWords.Condition(insn, jumps)}{owned}");
    }

    private void TellReturn(int idx)
    {
        var isLost = _holders.Leave(out var returnsIt);
        Add(idx, StoryStepKind.Call, returnsIt && _released < 0
            ? "returns to its caller, with the reference in r0"
            : "returns to its caller");
        TellLoss(idx, isLost, "with the frame, the last place that held the reference is gone");
    }

    private void TellCall(in BpfInsn insn, int idx, int next)
    {
        var name = _run.CalleeName(idx);
        if (insn.Src == BpfOp.PseudoCall)
        {
            TellSubprogCall(idx, next, name);
            return;
        }

        if (next < 0)
        {
            return;
        }

        if (next != idx + 1)
        {
            Add(idx, StoryStepKind.Call, $"{name} calls back");
            _holders.Enter(byCall: false);
            return;
        }

        TellFunctionCall(idx, name);
    }

    private void TellSubprogCall(int idx, int next, string name)
    {
        var with = _holders.Argument is var arg and not 0
            && _released < 0 ? $", with the reference in {StoryHolders.Name(arg)}" : "";
        if (next == idx + 1)
        {
            Add(idx, StoryStepKind.Call, $"calls {name}, which is checked on its own{with}");
            TellLoss(idx, _holders.Clobber(), "the call ends r0 to r5, the last place that held the reference");
            return;
        }

        Add(idx, StoryStepKind.Call, $"calls {name}{with}");
        if (next >= 0)
        {
            _holders.Enter(byCall: true);
        }
    }

    private void TellFunctionCall(int idx, string name)
    {
        ref readonly var aux = ref _run.Aux[idx];
        var hadIt = _holders.Argument != 0;
        if (aux.Releases && (hadIt || (StoryWords.IsOnStack(name) && _holders.Any)))
        {
            _released = idx;
            Add(idx, StoryStepKind.Released, StoryWords.Gives(name));
        }

        var isLost = _holders.Clobber() && _released < 0;
        if (idx == _acquired)
        {
            _holders.Start(StoryWords.IsOnStack(name) ? name : "r0");
            _released = _lost = -1;
            Add(idx, StoryStepKind.Acquired, StoryWords.Takes(name, isTheOne: true));
        }
        else if (aux.Acquires)
        {
            Add(idx, StoryStepKind.Acquired, StoryWords.Takes(name, isTheOne: false));
        }
        else if (hadIt && _released < 0 && StoryWords.Derives(name))
        {
            _holders.Add("r0");
            Add(idx, StoryStepKind.Moved, $"{name} makes another pointer to it, in r0");
            return;
        }

        TellLoss(idx, isLost && idx != _acquired, $"{name} ends r0 to r5, the last place that held the reference");
    }

    private void TellMove(in BpfInsn insn, int idx)
    {
        string dst = StoryHolders.Name(insn.Dst), src = StoryHolders.Name(insn.Src);
        var slot = "fp" + insn.Off.ToString(CultureInfo.InvariantCulture);
        switch (insn.Class)
        {
            case InsnClass.Alu64 when (insn.Opcode & (BpfOp.OpMask | BpfOp.X)) == (BpfOp.Mov | BpfOp.X):
                Move(idx, src, dst, $"copies the reference from {src} to {dst}");
                break;
            case InsnClass.Alu64 when (insn.Opcode & BpfOp.OpMask) is BpfOp.Add or BpfOp.Sub
                && _holders.Holds(insn.Dst):
                break; // a pointer to a field of it holds it as well
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
        if (!_holders.Holds(from))
        {
            Overwrite(idx, to);
        }
        else if (_holders.Add(to) && _released < 0)
        {
            Add(idx, StoryStepKind.Moved, text);
        }
    }

    private void Overwrite(int idx, string holder) =>
        TellLoss(idx, _holders.Overwrite(holder), $"overwrites {holder}, the last place that held the reference");

    private void TellLoss(int idx, bool isLost, string text)
    {
        if (isLost && _released < 0)
        {
            _lost = idx;
            Add(idx, StoryStepKind.Lost, text);
        }
    }

    private string FaultText(Diagnostic fault) => fault.Code != DiagCode.UnreleasedRef ? fault.Message
        : IsCall(_run.Insns[fault.InsnIdx ?? _run.InsnIdx])
            ? $"{_run.CalleeName(fault.InsnIdx ?? _run.InsnIdx)} ends the path here and the reference is still owned"
        : "the path ends here and the reference is still owned";

    private static bool IsCall(in BpfInsn insn) =>
        insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call;

    private string Place(int insnIdx) =>
        _run.SourceAt(insnIdx) ?? "instruction " + insnIdx.ToString(CultureInfo.InvariantCulture);

    private void Add(int insnIdx, StoryStepKind kind, string text)
    {
        _steps.Add(Step(insnIdx, kind, text));
        _places.Add(_at);
    }

    private StoryStep Step(int insnIdx, StoryStepKind kind, string text)
    {
        var line = _run.LineAt(insnIdx);
        var indented = line?.Text.TrimEnd();
        var bare = indented?.TrimStart();
        var step = new StoryStep(insnIdx, kind, text, _run.SourceAt(insnIdx), bare)
        {
            IsNote = kind is StoryStepKind.Released or StoryStepKind.Lost or StoryStepKind.Origin
                || (kind == StoryStepKind.Acquired && insnIdx == _acquired),
        };
        return line is not { } at ? step : step with
        {
            File = at.File,
            Line = at.Line > 0 ? at.Line : null,
            Column = at.Column > 0 ? at.Column : null,
            TextColumn = at.Column > 0 ? Math.Max(at.Column - (indented!.Length - bare!.Length), 1) : null,
        };
    }
}
