using Kptr.Isa;

namespace Kptr.Verifier.Cfg;

/// <summary>Where instructions lead inside their function.</summary>
internal static class Flow
{
    /// <summary>How many successors an instruction has at most.</summary>
    public const int SuccessorsMax = 2;

    /// <summary>Where an instruction may go on in its function; calls return.</summary>
    /// <remarks>Kernel: <c>bpf_insn_successors</c> (7.2).</remarks>
    /// <returns>How many places are written to <paramref name="next"/>.</returns>
    public static int Successors(BpfInsn[] insns, int at, Span<int> next)
    {
        ref readonly var insn = ref insns[at];
        var isJump = insn.Class is InsnClass.Jmp or InsnClass.Jmp32;
        var op = isJump ? insn.Opcode & BpfOp.OpMask : -1;
        var count = 0;
        var through = at + (insn.Opcode == BpfOp.LdImm64 ? 2 : 1);
        if (op is not (BpfOp.Ja or BpfOp.Exit) || !isJump)
        {
            next[count++] = through;
        }

        if (isJump && op is not (BpfOp.Call or BpfOp.Exit))
        {
            next[count++] = at + 1 + (op == BpfOp.Ja && insn.Class == InsnClass.Jmp32 ? insn.Imm : insn.Off);
        }

        var inside = 0;
        for (var i = 0; i < count; i++)
        {
            if ((uint)next[i] < (uint)insns.Length)
            {
                next[inside++] = next[i];
            }
        }

        return inside;
    }
}
