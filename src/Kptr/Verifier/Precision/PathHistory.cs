using Kptr.Verifier.State;

namespace Kptr.Verifier.Precision;

/// <summary>
/// The steps of the path that is explored, as far as they cannot be told from the code: each state has a stretch of
/// them. One per run and thread; another path overwrites what its own state does not have.
/// </summary>
/// <remarks>Kernel: <c>insn_hist</c> of <c>struct bpf_verifier_env</c>.</remarks>
internal sealed class PathHistory
{
    private HistEntry[] _entries = new HistEntry[256];
    private bool _isRecorded;

    /// <summary>Another instruction begins: what is recorded from here on is of it.</summary>
    public void BeginInsn() => _isRecorded = false;

    /// <summary>Records the current instruction, or adds to its record (<c>push_insn_history</c>).</summary>
    /// <param name="state">The state whose path it is; its stretch gets longer.</param>
    /// <param name="insnIdx">The instruction.</param>
    /// <param name="prevInsnIdx">The instruction before it on the path.</param>
    /// <param name="flags">What it did to the stack: see <see cref="HistFlags"/>.</param>
    /// <param name="linkedRegs">Registers that learnt something together, packed; 0 for none.</param>
    public void Push(VerifierState state, int insnIdx, int prevInsnIdx, int flags, ulong linkedRegs)
    {
        if (_isRecorded)
        {
            ref var last = ref _entries[state.HistEnd - 1];
            last.Flags |= flags;
            last.LinkedRegs = linkedRegs;
            return;
        }

        if (state.HistEnd == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
        }

        _entries[state.HistEnd++] = new(insnIdx, prevInsnIdx, flags, linkedRegs);
        _isRecorded = true;
    }

    /// <summary>What is recorded of an instruction that a stretch ends with; nothing set where it does not.</summary>
    /// <param name="state">The state whose stretch it is.</param>
    /// <param name="histEnd">Where the stretch ends, walking back.</param>
    /// <param name="insnIdx">The instruction.</param>
    public HistEntry Of(VerifierState state, int histEnd, int insnIdx) =>
        histEnd > state.HistStart && _entries[histEnd - 1].Idx == insnIdx ? _entries[histEnd - 1] : default;

    /// <summary>Goes back to the instruction before, inside one state's stretch (<c>get_prev_insn_idx</c>).</summary>
    /// <returns>False where the stretch begins.</returns>
    public bool TryGetPrev(VerifierState state, ref int insnIdx, ref int histEnd)
    {
        var count = histEnd - state.HistStart;
        if (insnIdx == state.FirstInsnIdx
            && (count == 0 || (count == 1 && _entries[state.HistStart].Idx == insnIdx)))
        {
            return false;
        }

        if (count > 0 && _entries[histEnd - 1].Idx == insnIdx)
        {
            insnIdx = _entries[--histEnd].PrevIdx;
        }
        else
        {
            insnIdx--;
        }

        return true;
    }

    /// <summary>A copy of a part, for a state whose path is over, to <see cref="Restore"/> it.</summary>
    public HistEntry[] Copy(int from, int to) => _entries[from..Math.Max(from, to)];

    /// <summary>Puts a part back over what other paths wrote there.</summary>
    public void Restore(HistEntry[] part, int from) => part.CopyTo(_entries, from);
}
