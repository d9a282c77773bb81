using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>
/// Spills around calls that keep the caller-saved registers: the kernel removes them, and with them the stack they
/// need.
/// </summary>
/// <param name="insns">The instructions.</param>
/// <param name="subprogs">Their functions.</param>
internal sealed class FastcallSpills(BpfInsn[] insns, SubprogTable subprogs)
{
    public const uint CallerSavedMask = 0x3f;

    // By instruction: whether it is such a spill or fill, and, of calls, how many pairs surround it.
    private readonly bool[] _isSpill = new bool[insns.Length];
    private readonly byte[] _pairs = new byte[insns.Length];

    // By function: the lowest stack offset used by other things, and whether a call keeps the spills anyway.
    private readonly int[] _stackOff = new int[subprogs.Count];
    private readonly bool[] _keeps = new bool[subprogs.Count];

    /// <summary>Finds them. Kernel: <c>mark_fastcall_patterns</c>.</summary>
    /// <param name="marks">Where jumps lead, which no pattern goes across.</param>
    /// <param name="calls">What calls change.</param>
    public void Mark(ReadOnlySpan<CodeMarks> marks, ICallFacts calls)
    {
        for (var s = 0; s < subprogs.Count; s++)
        {
            var sub = subprogs[s];
            var lowest = 0;
            for (var i = sub.Start; i < sub.End; i++)
            {
                if (IsStackStore(insns[i]))
                {
                    lowest = Math.Min(lowest, insns[i].Off);
                }
            }

            for (var i = sub.Start; i < sub.End; i++)
            {
                if (insns[i].IsHelperCall || insns[i].IsKfuncCall)
                {
                    MarkAt(s, i, lowest, marks, calls);
                }
            }
        }
    }

    private static bool IsStackStore(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Stx | BpfOp.Mem | BpfOp.Dw) && insn.Dst == 10;

    private static bool IsStackLoad(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.Dw) && insn.Src == 10;

    private void MarkAt(int subprog, int call, int lowest, ReadOnlySpan<CodeMarks> marks, ICallFacts calls)
    {
        var clobbered = calls.ClobberedBy(insns[call], out var inlined);
        if (clobbered == CallerSavedMask)
        {
            return;
        }

        var expected = ~clobbered & CallerSavedMask;
        int pairs = 0, off = lowest;
        for (; pairs < 6; pairs++, off += 8)
        {
            int store = call - pairs - 1, load = call + pairs + 1;
            if (store < 0 || load >= insns.Length || IsTarget(marks[store + 1]) || IsTarget(marks[load])
                || !IsStackStore(insns[store]) || !IsStackLoad(insns[load]) || insns[store].Src != insns[load].Dst
                || (expected & (1u << insns[store].Src)) == 0 || insns[store].Off != off || insns[load].Off != off)
            {
                break;
            }

            expected &= ~(1u << insns[store].Src);
            _isSpill[store] = _isSpill[load] = true;
        }

        if (pairs == 0)
        {
            return;
        }

        if (inlined)
        {
            _pairs[call] = (byte)pairs;
        }
        else
        {
            _keeps[subprog] = true;
        }

        _stackOff[subprog] = Math.Min(_stackOff[subprog], off);
    }

    private static bool IsTarget(CodeMarks marks) => (marks & CodeMarks.JumpTarget) != 0;

    /// <summary>
    /// Notes a use of the stack by an instruction. If it is below what other things use and no such spill, the function
    /// keeps its spills (<c>check_fastcall_stack_contract</c>).
    /// </summary>
    public void Use(int subprog, int insnIdx, int off)
    {
        if (_stackOff[subprog] > off && !_isSpill[insnIdx])
        {
            Keep(subprog);
        }
    }

    private void Keep(int subprog)
    {
        var sub = subprogs[subprog];
        _stackOff[subprog] = short.MinValue;
        Array.Clear(_isSpill, sub.Start, sub.End - sub.Start);
        Array.Clear(_pairs, sub.Start, sub.End - sub.Start);
    }

    /// <summary>Takes removed spills off the stack a function needs (<c>remove_fastcall_spills_fills</c>).</summary>
    public void DropStack()
    {
        for (var s = 0; s < subprogs.Count; s++)
        {
            var sub = subprogs[s];
            if (!_keeps[s] && _pairs.AsSpan(sub.Start, sub.End - sub.Start).ContainsAnyExcept((byte)0))
            {
                sub.StackDepth = -_stackOff[s];
            }
        }
    }
}
