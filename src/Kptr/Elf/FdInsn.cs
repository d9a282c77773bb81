using Kptr.Isa;

namespace Kptr.Elf;

/// <summary>An instruction that refers to a map, a BTF or a module by file descriptor.</summary>
internal static class FdInsn
{
    internal static bool Is(IReadOnlyList<BpfInsn> insns, int at) =>
        IsMap(insns[at]) || IsKfunc(insns[at]) || IsBtf(insns, at);

    /// <summary>Makes the number negative, so that it is no index and nothing is found under it.</summary>
    internal static void Disown(BpfInsn[] insns, int at)
    {
        var (first, last) = (insns[at], at + 1 < insns.Length ? insns[at + 1] : default);
        if (IsMap(first))
        {
            insns[at] = new(first.Opcode, first.Dst, first.Src, first.Off, ~first.Imm);
        }
        else if (IsKfunc(first))
        {
            insns[at] = new(first.Opcode, first.Dst, first.Src, (short)~first.Off, first.Imm);
        }
        else if (IsBtf(insns, at))
        {
            insns[at + 1] = new(last.Opcode, last.Dst, last.Src, last.Off, ~last.Imm);
        }
    }

    private static bool IsMap(BpfInsn insn) => insn.IsMapAddress && insn.Imm >= 0;

    private static bool IsBtf(IReadOnlyList<BpfInsn> insns, int at) =>
        insns[at].Opcode == BpfOp.LdImm64 && insns[at].Src == BpfOp.PseudoBtfId && at + 1 < insns.Count
        && insns[at + 1].Imm > 0;

    private static bool IsKfunc(BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) && insn.Src == BpfOp.PseudoKfuncCall && insn.Off > 0;
}
