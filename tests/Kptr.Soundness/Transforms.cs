using System.Collections.Immutable;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>Changes to a linked program that change nothing for the verifier's verdict.</summary>
internal static class Transforms
{
    private const int FirstCalleeSaved = 6;
    private static readonly BpfInsn s_nop = Asm.Ja(0);

    /// <summary>The same program with the registers that calls preserve under other names.</summary>
    internal static ProgSpec RenameRegs(ProgSpec prog, Random random)
    {
        var names = Enumerable.Range(0, 16).ToArray();
        random.Shuffle(names.AsSpan(FirstCalleeSaved, 4));

        // Legacy packet loads mean r6, whatever it is called.
        if (prog.Insns.Any(i => i.Class == InsnClass.Ld && i.Opcode != BpfOp.LdImm64))
        {
            return prog;
        }

        var insns = prog.Insns.ToArray();
        for (var i = 0; i < insns.Length; i++)
        {
            var insn = insns[i];
            var isCall = insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call);
            var isPseudo = insn.Opcode == BpfOp.LdImm64;
            if (!isCall)
            {
                insns[i] = new(insn.Opcode, names[insn.Dst], isPseudo ? insn.Src : names[insn.Src], insn.Off, insn.Imm);
            }

            i += isPseudo ? 1 : 0;
        }

        return prog with { Insns = [.. insns] };
    }

    /// <summary>
    /// The same program with jumps to the next instruction put in, before one in so many instructions.
    /// </summary>
    internal static ProgSpec InsertNops(ProgSpec prog, Random random, int oneIn)
    {
        var old = prog.Insns;
        var isNop = new bool[old.Length];
        for (var i = 0; i < old.Length; i++)
        {
            isNop[i] = random.Next(oneIn) == 0 && !(i > 0 && IsFastcallPart(old[i - 1]) && IsFastcallPart(old[i]));
            i += old[i].Opcode == BpfOp.LdImm64 ? 1 : 0;
        }

        // Where an instruction goes, and where a jump to it goes: to the one put in before it.
        var place = new int[old.Length + 1];
        var target = new int[old.Length + 1];
        for (int i = 0, at = 0; i <= old.Length; i++, at++)
        {
            target[i] = at;
            at += i < old.Length && isNop[i] ? 1 : 0;
            place[i] = at;
        }

        return CanHold(old, place, target) ? Moved(prog, isNop, place, target) : prog;
    }

    private static ProgSpec Moved(ProgSpec prog, bool[] isNop, int[] place, int[] target)
    {
        var insns = new List<BpfInsn>();
        for (var i = 0; i < prog.Insns.Length; i++)
        {
            if (isNop[i])
            {
                insns.Add(s_nop);
            }

            insns.Add(Shifted(prog.Insns[i], i, place, target));
            if (prog.Insns[i].Opcode == BpfOp.LdImm64 && i + 1 < prog.Insns.Length)
            {
                insns.Add(prog.Insns[++i]);
            }
        }

        return prog with
        {
            Insns = [.. insns],
            FuncInfos = [.. prog.FuncInfos.Select(f => f with { InsnIdx = target[f.InsnIdx] })],
            LineInfos = [.. prog.LineInfos.Select(l => l with { InsnIdx = target[l.InsnIdx] })],
            FdInsns = [.. prog.FdInsns.Select(i => place[i])],
            OwnInsnCount = target[prog.OwnInsnCount],
        };
    }

    private static BpfInsn Shifted(BpfInsn insn, int i, int[] place, int[] target)
    {
        if (DistanceOf(insn) is not { } distance || i + 1 + distance is var to && ((uint)to >= (uint)target.Length))
        {
            return insn;
        }

        var moved = target[i + 1 + distance] - place[i] - 1;
        return UsesImm(insn)
            ? new(insn.Opcode, insn.Dst, insn.Src, insn.Off, moved)
            : new(insn.Opcode, insn.Dst, insn.Src, (short)moved, insn.Imm);
    }

    private static bool CanHold(ImmutableArray<BpfInsn> insns, int[] place, int[] target)
    {
        for (var i = 0; i < insns.Length; i++)
        {
            if (DistanceOf(insns[i]) is { } distance && (uint)(i + 1 + distance) < (uint)target.Length
                && !UsesImm(insns[i])
                && target[i + 1 + distance] - place[i] - 1 is < short.MinValue or > short.MaxValue)
            {
                return false;
            }
        }

        return true;
    }

    private static int? DistanceOf(BpfInsn insn)
    {
        if (insn.Opcode == BpfOp.LdImm64)
        {
            return insn.Src == BpfOp.PseudoFunc ? insn.Imm : null;
        }

        if (insn.Class is not (InsnClass.Jmp or InsnClass.Jmp32))
        {
            return null;
        }

        return (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Exit => null,
            BpfOp.Call => insn.Src == BpfOp.PseudoCall ? insn.Imm : null,
            BpfOp.Ja when insn.Class == InsnClass.Jmp32 => insn.Imm,
            _ => insn.Off,
        };
    }

    // Spills and fills around a call are a pattern that may cost no stack; a jump inside takes that away.
    private static bool IsFastcallPart(BpfInsn insn) => insn.Opcode switch
    {
        (byte)InsnClass.Jmp | BpfOp.Call => insn.Src != BpfOp.PseudoCall,
        (byte)InsnClass.Stx | BpfOp.Mem | BpfOp.Dw => insn.Dst == (int)BpfReg.R10,
        (byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.Dw => insn.Src == (int)BpfReg.R10,
        _ => false,
    };

    private static bool UsesImm(BpfInsn insn) =>
        insn.Opcode == BpfOp.LdImm64 || (insn.Opcode & BpfOp.OpMask) == BpfOp.Call
            || (insn.Class == InsnClass.Jmp32 && (insn.Opcode & BpfOp.OpMask) == BpfOp.Ja);
}
