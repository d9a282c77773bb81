using System.Globalization;
using System.Text;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <summary>The kernel-style log. At level 0 it does nothing but keep the lines of a refusal.</summary>
/// <remarks>
/// Level 1 keeps the path to the fault and drops finished paths; level 2 keeps everything; 4 adds statistics. The
/// forms are those that log viewers parse: <c>12: (85) call ...</c>, <c>; C source @ file:line</c>, <c>from 3 to 9:
/// safe</c>.
/// </remarks>
internal sealed class VerifierLog(int level) : ILogLines
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

    /// <summary>Whether every path is kept, and how precision was traced back.</summary>
    public bool IsFull => (level & 2) != 0;

    /// <summary>Whether the log ends with the stack and the instructions of each function.</summary>
    public bool HasStats => (level & 4) != 0;

    /// <summary>Whether paths are kept at all.</summary>
    public bool IsOn => (level & 3) != 0;

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
        if (!IsFull)
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

        if (_newPath && IsFull)
        {
            _text.Append(CultureInfo.InvariantCulture, $"\nfrom {run.PrevInsnIdx} to {insnIdx}:");
            AppendState(run, run.Cur.Cur, all: true);
            _newPath = false;
        }

        if (_regs != 0 || _slots != 0)
        {
            StartState(insnIdx);
            AppendState(run, run.Cur.Cur, all: false);
        }

        if (run.LineAt(insnIdx) is { } line && line.Line != _lastLine)
        {
            _lastLine = line.Line;
            _text.Append(CultureInfo.InvariantCulture,
                $"; {line.Text.Trim()} @ {VerifierRun.ShortFile(line.File)}:{line.Line}\n");
        }

        var start = _text.Length;
        _text.Append(CultureInfo.InvariantCulture,
            $"{insnIdx}: {InsnText.Of(run, insnIdx)}\n");
        _insnEnd = _text.Length;
        _insnWidth = _insnEnd - start;
    }

    /// <summary>The state after an instruction stands behind it, in column 38, if nothing was printed since.</summary>
    private void StartState(int insnIdx)
    {
        if (_insnEnd != _text.Length)
        {
            _text.Append(CultureInfo.InvariantCulture, $"{insnIdx}:");
            return;
        }

        var column = (Math.Max(_insnWidth + (AlignmentMin / 2), Alignment) + AlignmentMin - 1)
            / AlignmentMin * AlignmentMin;
        _text.Length--;
        _text.Append(' ', column - _insnWidth - 1).Append(';');
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
            TouchAll();
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

    /// <summary>A line that ends with all of a frame.</summary>
    public void Frame(VerifierRun run, string head, FuncState frame)
    {
        _text.Append(head);
        AppendState(run, frame, all: true);
    }

    /// <summary>The whole log, with its last line.</summary>
    public string Finish(string lastLine) => _text.Append(lastLine).Append('\n').ToString();

    private void AppendState(VerifierRun run, FuncState frame, bool all)
    {
        StatePrinter.Append(_text, run, frame, all ? 0x7ff : _regs, all ? ulong.MaxValue : _slots);
        _text.Append('\n');
        if (!all)
        {
            _regs = 0;
            _slots = 0;
        }
    }
}
