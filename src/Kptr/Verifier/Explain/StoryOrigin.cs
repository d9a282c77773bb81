using Kptr.Isa;

namespace Kptr.Verifier;

/// <summary>
/// Where the value of a faulty register comes from: back along the path, through copies and spills of its frame.
/// </summary>
internal static class StoryOrigin
{
    /// <returns>Where on the path the value was made, and what it is; null where it was made at the fault or is
    /// not worth telling.</returns>
    public static (int At, string Text)? Find(VerifierRun run, List<int> path, int? faulty)
    {
        if (faulty is not { } start)
        {
            return null;
        }

        var place = StoryHolders.Name(start);
        for (var i = path.Count - 2; i >= 0; i--)
        {
            ref readonly var insn = ref run.Insns[path[i]];
            if (IsOtherFrame(insn, path[i], path[i + 1]))
            {
                return null;
            }

            if (Writes(run, insn, path[i], place) is { } text)
            {
                return text.Length == 0 ? null : (i, $"{StoryHolders.Name(start)} comes from here: {text}");
            }

            place = Before(insn, place);
        }

        return null;
    }

    private static bool IsOtherFrame(in BpfInsn insn, int idx, int next) => insn.Class is InsnClass.Jmp
        && ((insn.Opcode & BpfOp.OpMask) == BpfOp.Exit
            || ((insn.Opcode & BpfOp.OpMask) == BpfOp.Call && next != idx + 1));

    /// <summary>
    /// What the instruction puts into the place; empty where that says nothing new, null where it does not write it.
    /// </summary>
    private static string? Writes(VerifierRun run, in BpfInsn insn, int idx, string place)
    {
        if (insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call)
        {
            return place switch
            {
                "r0" => $"the result of {run.CalleeName(idx)}",
                "r1" or "r2" or "r3" or "r4" or "r5" => $"{run.CalleeName(idx)} clobbers it",
                _ => null,
            };
        }

        if (StoryHolders.Name(insn.Dst) != place
            || insn.Class is InsnClass.Jmp or InsnClass.Jmp32 or InsnClass.St or InsnClass.Stx)
        {
            return null;
        }

        var isMov = insn.Class == InsnClass.Alu64 && (insn.Opcode & BpfOp.OpMask) == BpfOp.Mov;
        return insn.Class switch
        {
            InsnClass.Alu64 when isMov && (insn.Opcode & BpfOp.X) != 0 => null,
            InsnClass.Alu64 when (insn.Opcode & BpfOp.OpMask) is BpfOp.Add or BpfOp.Sub => null,
            InsnClass.Ldx when insn.Src == 10 => null,
            InsnClass.Ldx => "a load, " + Disassembler.Text(insn),
            InsnClass.Alu or InsnClass.Alu64 => Disassembler.Text(insn),
            _ => "",
        };
    }

    /// <summary>The place that held the value before the instruction.</summary>
    private static string Before(in BpfInsn insn, string place)
    {
        var slot = FormattableString.Invariant($"fp{insn.Off}");
        return insn.Class switch
        {
            InsnClass.Alu64 when (insn.Opcode & (BpfOp.OpMask | BpfOp.X)) == (BpfOp.Mov | BpfOp.X)
                && StoryHolders.Name(insn.Dst) == place
                => StoryHolders.Name(insn.Src),
            InsnClass.Ldx when insn.Src == 10 && StoryHolders.Name(insn.Dst) == place => slot,
            InsnClass.Stx when insn.Dst == 10 && slot == place => StoryHolders.Name(insn.Src),
            _ => place,
        };
    }
}
