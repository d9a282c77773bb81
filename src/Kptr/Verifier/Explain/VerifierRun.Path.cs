using Kptr.Isa;

namespace Kptr.Verifier;

/// <content>The path that led to the current instruction.</content>
internal sealed partial class VerifierRun
{
    private const int PathMax = 100_000;

    /// <summary>The instructions executed up to the current one, in order, as far as the history reaches.</summary>
    internal List<int> PathToHere()
    {
        var path = new List<int>();
        var idx = InsnIdx;
        for (var state = Cur; state is not null && path.Count < PathMax; state = state.Parent)
        {
            var histEnd = state.HistEnd;
            while (path.Count < PathMax && (uint)idx < (uint)Insns.Length)
            {
                path.Add(idx);
                if (!_history.TryGetPrev(state, ref idx, ref histEnd))
                {
                    break;
                }
            }

            if (state.Parent is { } parent)
            {
                idx = parent.LastInsnIdx;
            }
        }

        path.Reverse();
        return path;
    }

    /// <summary>The C source of an instruction where known, else its disassembly.</summary>
    internal string TextOf(int insnIdx) => LineAt(insnIdx) is { Text.Length: > 0 } line
        ? line.Text.Trim() : Disassembler.Text(Insns[insnIdx]);

    /// <summary>Name of what a call instruction calls.</summary>
    internal string CalleeName(int insnIdx)
    {
        ref readonly var insn = ref Insns[insnIdx];
        switch (insn.Src)
        {
            case BpfOp.PseudoCall:
                var sub = Subprogs.Find(insnIdx + insn.Imm + 1);
                return sub >= 0 && Subprogs[sub].Name.Length > 0 ? Subprogs[sub].Name : "a subprogram";
            case BpfOp.PseudoKfuncCall:
                return (uint)insn.Off < (uint)Types.All.Length && insn.Imm > 0
                    && insn.Imm < Types.All[insn.Off].TypeCount
                    ? Types.All[insn.Off][insn.Imm].Name : "a kfunc";
            default:
                return Specs.HelperTable.Find((Specs.HelperId)insn.Imm)?.Name ?? "a helper";
        }
    }
}
