using Kptr.Diagnostics;

namespace Kptr.Isa;

/// <summary>
/// Which encodings Linux 6.12 takes: opcodes, reserved fields, register numbers, pairs and jump targets.
/// </summary>
/// <remarks>
/// <see cref="Fault"/> looks at one instruction and answers in the kernel's words, for a verifier that meets
/// instructions on its paths; <see cref="CheckAll"/> holds a whole stream to the same rules and to its jump targets.
/// </remarks>
public static class InsnCheck
{
    /// <summary>Whether the kernel knows the opcode (<c>bpf_opcode_in_insntable</c>).</summary>
    public static bool IsKnownOpcode(byte opcode)
    {
        var op = opcode & BpfOp.OpMask;
        var size = opcode & BpfOp.SizeMask;
        return (InsnClass)(opcode & 7) switch
        {
            InsnClass.Ld => opcode == BpfOp.LdImm64
                || ((opcode & BpfOp.ModeMask) is BpfOp.Abs or BpfOp.Ind && size != BpfOp.Dw),
            InsnClass.Ldx => (opcode & BpfOp.ModeMask) == BpfOp.Mem
                || ((opcode & BpfOp.ModeMask) == BpfOp.Memsx && size != BpfOp.Dw),
            InsnClass.St => (opcode & BpfOp.ModeMask) == BpfOp.Mem,
            InsnClass.Stx => (opcode & BpfOp.ModeMask) == BpfOp.Mem
                || ((opcode & BpfOp.ModeMask) == BpfOp.Atomic && size is BpfOp.W or BpfOp.Dw),
            InsnClass.Alu => op <= BpfOp.End && (op != BpfOp.Neg || IsImm(opcode)),
            InsnClass.Alu64 => op <= BpfOp.Arsh ? op != BpfOp.Neg || IsImm(opcode) : op == BpfOp.End && IsImm(opcode),
            InsnClass.Jmp => JumpOps.IsConditional(op)
                || (op is BpfOp.Ja or BpfOp.Call or BpfOp.Exit or BpfOp.Jcond && IsImm(opcode)),
            _ => JumpOps.IsConditional(op) || (op == BpfOp.Ja && IsImm(opcode)),
        };
    }

    /// <summary>What the kernel says of the encoding of one instruction, or null where it takes it.</summary>
    /// <param name="insn">The instruction's first slot.</param>
    /// <param name="second">The slot after it, where there is one; matters to two-slot loads.</param>
    public static string? Fault(BpfInsn insn, BpfInsn? second) => insn.IsLoadAcquire || insn.IsStoreRelease
        ? $"BPF_ATOMIC uses invalid atomic opcode {insn.Imm:x2}"
        : EncodingFault(insn, second) ?? OperandFault(insn);

    /// <summary>
    /// <see cref="Fault"/> without the operands that only the verifier minds: RFC 9669 defines their results.
    /// </summary>
    /// <remarks>Ordered loads and stores, which 6.12 does not know, are encoded as later kernels have them.</remarks>
    internal static string? EncodingFault(BpfInsn insn, BpfInsn? second)
    {
        if (insn.IsLoadAcquire || insn.IsStoreRelease)
        {
            return RegFault(insn);
        }

        if (insn.Class != InsnClass.Ldx && !IsKnownOpcode(insn.Opcode))
        {
            return $"unknown opcode {insn.Opcode:x2}";
        }

        return (insn.Class switch
        {
            InsnClass.Alu or InsnClass.Alu64 => AluFault(insn),
            InsnClass.Jmp or InsnClass.Jmp32 => JumpFault(insn),
            InsnClass.Ldx => IsKnownOpcode(insn.Opcode) && insn.Imm == 0 ? null : "BPF_LDX uses reserved fields",
            InsnClass.Stx => StxFault(insn),
            InsnClass.St => insn.Src == 0 ? null : "BPF_ST uses reserved fields",
            _ => LdFault(insn, second),
        }) ?? RegFault(insn);
    }

    /// <summary>
    /// Holds every instruction of a stream to <see cref="Fault"/>, and its jumps and calls to its bounds.
    /// </summary>
    /// <returns>True where nothing was reported.</returns>
    public static bool CheckAll(ReadOnlySpan<BpfInsn> insns, DiagSink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        var before = sink.All.Count;
        var starts = new bool[insns.Length];
        for (var i = 0; i < insns.Length; i++)
        {
            starts[i] = true;
            var isPair = insns[i].Opcode == BpfOp.LdImm64;
            var fault = Fault(insns[i], i + 1 < insns.Length ? insns[i + 1] : null);
            if (fault is not null)
            {
                sink.Report(new Diagnostic(CodeOf(insns[i]), fault) { InsnIdx = i });
            }

            i += isPair ? 1 : 0;
        }

        for (var i = 0; i < insns.Length; i++)
        {
            if (starts[i] && TargetOf(insns[i], i) is { } target
                && (target < 0 || target >= insns.Length || !starts[target]))
            {
                sink.Report(new Diagnostic(
                    DiagCode.InsnBadTarget, $"jump out of range from insn {i} to {target}") { InsnIdx = i });
            }
        }

        return sink.All.Count == before;
    }

    /// <summary>
    /// Index an instruction jumps, calls or points to within the program, or null where it does none of these.
    /// </summary>
    public static long? TargetOf(BpfInsn insn, int insnIdx)
    {
        if (insn.Opcode == BpfOp.LdImm64)
        {
            return insn.Src == BpfOp.PseudoFunc ? insnIdx + 1L + insn.Imm : null;
        }

        if (insn.Class is not (InsnClass.Jmp or InsnClass.Jmp32))
        {
            return null;
        }

        return (insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Exit => null,
            BpfOp.Call => insn.Src == BpfOp.PseudoCall ? insnIdx + 1L + insn.Imm : null,
            BpfOp.Ja when insn.Class == InsnClass.Jmp32 => insnIdx + 1L + insn.Imm,
            _ => insnIdx + 1L + insn.Off,
        };
    }

    private static string? AluFault(BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        var is64 = insn.Class == InsnClass.Alu64;
        switch (op)
        {
            case BpfOp.Neg:
                return insn is { Src: 0, Off: 0, Imm: 0 } ? null : "BPF_NEG uses reserved fields";
            case BpfOp.End:
                return insn is { Src: 0, Off: 0, Imm: 16 or 32 or 64 } ? null : "BPF_END uses reserved fields";
            case BpfOp.Mov when IsImm(insn.Opcode):
                return insn is { Src: 0, Off: 0 } ? null : "BPF_MOV uses reserved fields";
            case BpfOp.Mov when is64 && insn.Off == 1:
                return insn.Imm is 1 or 1 << 16 ? null
                    : "addr_space_cast insn can only convert between address space 1 and 0";
            case BpfOp.Mov:
                return insn.Imm == 0 && (insn.Off is 0 or 8 or 16 || (is64 && insn.Off == 32))
                    ? null : "BPF_MOV uses reserved fields";
        }

        var isDivision = op is BpfOp.Div or BpfOp.Mod;
        if ((insn.Off != 0 && !(isDivision && insn.Off == 1)) || (IsImm(insn.Opcode) ? insn.Src : insn.Imm) != 0)
        {
            return "BPF_ALU uses reserved fields";
        }

        return null;
    }

    private static string? OperandFault(BpfInsn insn)
    {
        if (insn.Class is not (InsnClass.Alu or InsnClass.Alu64) || !IsImm(insn.Opcode))
        {
            return null;
        }

        var op = insn.Opcode & BpfOp.OpMask;
        var bits = insn.Class == InsnClass.Alu64 ? 64 : 32;
        return op is BpfOp.Div or BpfOp.Mod && insn.Imm == 0 ? "div by zero"
            : op is BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh && (uint)insn.Imm >= bits ? $"invalid shift {insn.Imm}"
            : null;
    }

    private static string? JumpFault(BpfInsn insn)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                return insn.Dst == 0 && insn.Src <= BpfOp.PseudoKfuncCall
                    && (insn.Off == 0 || insn.Src == BpfOp.PseudoKfuncCall) ? null : "BPF_CALL uses reserved fields";
            case BpfOp.Exit:
                return insn is { Dst: 0, Src: 0, Imm: 0 } ? null : "BPF_EXIT uses reserved fields";
            case BpfOp.Ja:
                return insn is { Dst: 0, Src: 0 } && (insn.Class == InsnClass.Jmp ? insn.Imm : insn.Off) == 0
                    ? null : "BPF_JA uses reserved fields";
            case BpfOp.Jcond:
                return insn is { Dst: 0, Src: 0, Imm: 0 } && insn.Off != 0
                    ? null : $"invalid may_goto off {insn.Off} imm {insn.Imm}";
            default:
                return (IsImm(insn.Opcode) ? insn.Src : insn.Imm) == 0 ? null : "BPF_JMP/JMP32 uses reserved fields";
        }
    }

    private static string? StxFault(BpfInsn insn) => (insn.Opcode & BpfOp.ModeMask) switch
    {
        BpfOp.Atomic => AtomicOps.IsKnown(insn.Imm) ? null : $"BPF_ATOMIC uses invalid atomic opcode {insn.Imm:x2}",
        _ => insn.Imm == 0 ? null : "BPF_STX uses reserved fields",
    };

    private static string? LdFault(BpfInsn insn, BpfInsn? second)
    {
        if (insn.Opcode != BpfOp.LdImm64)
        {
            var isAbs = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Abs;
            return insn is { Dst: 0, Off: 0 } && (!isAbs || insn.Src == 0)
                ? null : "BPF_LD_[ABS|IND] uses reserved fields";
        }

        if (second is not { Opcode: 0, Regs: 0, Off: 0 })
        {
            return "invalid bpf_ld_imm64 insn";
        }

        return insn.Off != 0 ? "BPF_LD_IMM64 uses reserved fields"
            : insn.Src > BpfOp.PseudoMapIdxValue ? "unrecognized bpf_ld_imm64 insn"
            : null;
    }

    private static string? RegFault(BpfInsn insn)
    {
        var isSrcReg = insn.Opcode != BpfOp.LdImm64
            && (insn.Opcode & BpfOp.OpMask, insn.Class) is not (BpfOp.Call, InsnClass.Jmp);
        return isSrcReg && insn.Src > (int)BpfReg.R10 ? $"R{insn.Src} is invalid"
            : insn.Dst > (int)BpfReg.R10 ? $"R{insn.Dst} is invalid"
            : null;
    }

    private static DiagCode CodeOf(BpfInsn insn) =>
        IsKnownOpcode(insn.Opcode) ? DiagCode.InsnReservedField : DiagCode.InsnUnknownOpcode;

    private static bool IsImm(int opcode) => (opcode & BpfOp.X) == 0;
}
