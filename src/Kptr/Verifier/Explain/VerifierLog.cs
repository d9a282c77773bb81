using System.Text;
using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>The kernel-style log. At level 0 it does nothing but keep the lines of a refusal.</summary>
/// <remarks>
/// Level 1 keeps the path to the fault and drops finished paths; level 2 keeps everything. The forms are those that log
/// viewers parse: <c>12: (85) call ...</c>, <c>; C source @ file:line</c>, <c>from 3 to 9: safe</c>.
/// </remarks>
internal sealed class VerifierLog(int level)
{
    private const int Alignment = 40;
    private const int AlignmentMin = 8;
    private readonly StringBuilder _text = new();
    private uint _regs = 0x7ff;
    private ulong _slots = ulong.MaxValue;
    private int _lastLine = -1;
    private int _insnEnd = -1;
    private int _insnWidth;
    private bool _newPath;

    /// <summary>Where the log is now, to <see cref="Rewind"/> to.</summary>
    public int Mark => _text.Length;

    private bool IsOn => level > 0;

    /// <summary>One line as it is.</summary>
    public void Line(string line) => _text.Append(line).Append('\n');

    /// <summary>A register changed: it is printed with the next instruction.</summary>
    public void Touch(int regno) => _regs |= 1u << regno;

    public void TouchSlot(int slot) => _slots |= 1ul << slot;

    public void TouchAll()
    {
        _regs = 0x7ff;
        _slots = ulong.MaxValue;
    }

    /// <summary>A path ended well: level 1 forgets it.</summary>
    public void Rewind(int mark)
    {
        if (level < 2)
        {
            _text.Length = mark;
            _lastLine = -1;
            _insnEnd = -1;
        }
    }

    /// <summary>Announces an instruction, with the state before it.</summary>
    public void Insn(VerifierRun run, int insnIdx)
    {
        if (!IsOn)
        {
            return;
        }

        if (_newPath && level > 1)
        {
            _text.Append(System.Globalization.CultureInfo.InvariantCulture, $"\nfrom {run.PrevInsnIdx} to {insnIdx}:");
            AppendState(run, run.Cur.Cur, all: true);
            _newPath = false;
        }
        else if (_regs != 0)
        {
            StartState(insnIdx);
            AppendState(run, run.Cur.Cur, all: false);
        }

        if (run.LineAt(insnIdx) is { } line && line.Line != _lastLine)
        {
            _lastLine = line.Line;
            _text.Append(System.Globalization.CultureInfo.InvariantCulture,
                $"; {line.Text.Trim()} @ {VerifierRun.ShortFile(line.File)}:{line.Line}\n");
        }

        var start = _text.Length;
        _text.Append(System.Globalization.CultureInfo.InvariantCulture,
            $"{insnIdx}: ({run.Insns[insnIdx].Opcode:x2}) {TextOf(run, insnIdx)}\n");
        _insnEnd = _text.Length;
        _insnWidth = _insnEnd - start - 1;
    }

    /// <summary>The state after an instruction stands behind it, in column 40, if nothing was printed since.</summary>
    private void StartState(int insnIdx)
    {
        if (_insnEnd != _text.Length)
        {
            _text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{insnIdx}:");
            return;
        }

        var column = (Math.Max(_insnWidth + (AlignmentMin / 2), Alignment) + AlignmentMin - 1)
            / AlignmentMin * AlignmentMin;
        _text.Length--;
        _text.Append(' ', column - _insnWidth - 1).Append(" ;");
    }

    private static string TextOf(VerifierRun run, int insnIdx)
    {
        ref readonly var insn = ref run.Insns[insnIdx];
        if (insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call && insn.Src != BpfOp.PseudoCall)
        {
            return $"call {run.CalleeName(insnIdx)}#{insn.Imm}";
        }

        var isWide = insn.Opcode == BpfOp.LdImm64 && insnIdx + 1 < run.Insns.Length;
        return Disassembler.Text(insn, isWide ? run.Insns[insnIdx + 1] : null);
    }

    /// <summary>A path ended in a state known to be safe.</summary>
    public void Safe(VerifierRun run, int prev, int insnIdx)
    {
        _ = run;
        if (IsOn)
        {
            Line(_newPath ? $"\nfrom {prev} to {insnIdx}: safe" : $"{insnIdx}: safe");
        }
    }

    public void StartPath(VerifierRun run, int prev, int insnIdx)
    {
        _ = (run, prev, insnIdx);
        _newPath = true;
    }

    public void EnterFunc(VerifierRun run, FuncState caller, FuncState callee)
    {
        if (IsOn)
        {
            _text.Append("caller:\n");
            AppendState(run, caller, all: true);
            _text.Append("callee:\n");
            AppendState(run, callee, all: true);
        }
    }

    public void LeaveFunc(VerifierRun run, FuncState callee, FuncState caller)
    {
        if (IsOn)
        {
            _text.Append("returning from callee:\n");
            AppendState(run, callee, all: true);
            _text.Append("to caller at ").Append(run.InsnIdx).Append(":\n");
            AppendState(run, caller, all: true);
            _newPath = true;
        }
    }

    /// <summary>The whole log, with its last line.</summary>
    public string Finish(string lastLine) => _text.Append(lastLine).Append('\n').ToString();

    private void AppendState(VerifierRun run, FuncState frame, bool all)
    {
        StatePrinter.Append(_text, run, frame, all ? 0x7ff : _regs, all ? ulong.MaxValue : _slots);
        _text.Append('\n');
        _regs = 0;
        _slots = 0;
    }
}
