using System.Collections.Immutable;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Verifier;
using Kptr.Verifier.State;

namespace Kptr;

/// <summary>Makes pointers into an arena what they are to a program: the low 32 bits of user space's.</summary>
/// <remarks>
/// Every instruction keeps its slot. Kernel: <c>do_misc_fixups</c> and <c>convert_ctx_accesses</c>
/// (kernel/bpf/verifier.c, 6.12).
/// </remarks>
internal static class ArenaRewriter
{
    private const byte Mov = (byte)InsnClass.Alu64 | BpfOp.Mov | BpfOp.X;
    private const byte Mov32 = (byte)InsnClass.Alu | BpfOp.Mov | BpfOp.X;
    private const byte OpAndSource = 0xf8;

    /// <summary>The arena of a program and which slots go there; null where it has none.</summary>
    internal static ArenaCode? ArenaOf(VerifiedProgram verified, ImmutableArray<BpfMap?> maps) =>
        maps.OfType<ArenaMap>().FirstOrDefault() is { } arena
            ? new(arena, [.. verified.Accesses.Select(a => a == RegType.PtrToArena)]) : null;

    /// <summary>Casts to the program's address space, and all casts where the map says so, keep 32 bits; so does
    /// arithmetic.</summary>
    /// <param name="prog">The program as it would run without.</param>
    /// <param name="verified">The same, as the verifier saw it.</param>
    /// <param name="arena">Its arena, or null.</param>
    internal static ProgSpec Apply(ProgSpec prog, VerifiedProgram verified, ArenaMap? arena)
    {
        if (arena is null)
        {
            return prog;
        }

        var insns = prog.Insns.ToBuilder();
        var keepsUser = (arena.Spec.Flags & MapFlags.NoUserConv) == 0;
        for (var i = 0; i < insns.Count; i++)
        {
            var insn = insns[i];
            if (insn.Opcode == Mov && insn.Imm != 0)
            {
                insns[i] = keepsUser && ArenaCode.IsUserCast(insn) ? insn : new(Mov32, insn.Dst, insn.Src, 0, 0);
            }
            else if (i < verified.NeedsZext.Length && verified.NeedsZext[i])
            {
                insns[i] = new(
                    (byte)((insn.Opcode & OpAndSource) | (byte)InsnClass.Alu), insn.Dst, insn.Src, insn.Off, insn.Imm);
            }
        }

        return prog with { Insns = insns.ToImmutable() };
    }
}
