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
            InsnClass.Alu64 when IsAddrSpaceCast(insn) => insn.Imm is 1 or 1 << 16 ? null
                : "addr_space_cast insn can only convert between address space 1 and 0",
            InsnClass.Jmp when IsMayGotoOfAnyKind(insn) => insn is { Dst: 0, Src: 0, Imm: 0 } && insn.Off != 0
                ? null : $"invalid may_goto off {insn.Off} imm {insn.Imm}",
            InsnClass.Ldx when !IsKnownOpcode(insn.Opcode) => "BPF_LDX uses reserved fields",
            InsnClass.Stx when (insn.Opcode & BpfOp.ModeMask) == BpfOp.Atomic =>
                AtomicOps.IsKnown(insn.Imm) ? null : $"BPF_ATOMIC uses invalid atomic opcode {insn.Imm:x2}",
            InsnClass.Ld when insn.Opcode == BpfOp.LdImm64 => LdImm64Fault(insn, second),
            _ => ReservedFault(insn),
        }) ?? RegFault(insn);
    }

    /// <summary>
    /// Which kind of instruction, in the kernel's words, uses fields that are reserved for it; null where it does not.
    /// </summary>
    /// <remarks>Of opcodes that exist. Casts of address spaces, <c>may_goto</c> and atomics have words of their own.
    /// </remarks>
    internal static string? ReservedIn(in BpfInsn insn) => insn.Class switch
    {
        InsnClass.Alu or InsnClass.Alu64 => ReservedInAlu(insn),
        InsnClass.Jmp or InsnClass.Jmp32 => ReservedInJump(insn),
        InsnClass.Ldx => insn.Imm == 0 ? null : "BPF_LDX",
        InsnClass.Stx => (insn.Opcode & BpfOp.ModeMask) == BpfOp.Atomic || insn.Imm == 0 ? null : "BPF_STX",
        InsnClass.St => insn.Src == 0 ? null : "BPF_ST",
        _ when insn.Opcode == BpfOp.LdImm64 => insn.Off == 0 ? null : "BPF_LD_IMM64",
        _ => insn is { Dst: 0, Off: 0 } && ((insn.Opcode & BpfOp.ModeMask) != BpfOp.Abs || insn.Src == 0)
            ? null : "BPF_LD_[ABS|IND]",
    };

    /// <summary>Whether it casts between address spaces.</summary>
    internal static bool IsAddrSpaceCast(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Alu64 | BpfOp.Mov | BpfOp.X) && insn.Off == CastsAddressSpace;

    /// <summary>Whether it is a <c>may_goto</c>, also one of a kind that does not exist.</summary>
    internal static bool IsMayGotoOfAnyKind(in BpfInsn insn) =>
        insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Jcond);

    private const short CastsAddressSpace = 1;

    private static string? ReservedFault(in BpfInsn insn) =>
        ReservedIn(insn) is { } what ? $"{what} uses reserved fields" : null;

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

    private static string? ReservedInAlu(in BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        switch (op)
        {
            case BpfOp.Neg:
                return insn is { Src: 0, Off: 0, Imm: 0 } ? null : "BPF_NEG";
            case BpfOp.End:
                return insn is { Src: 0, Off: 0, Imm: 16 or 32 or 64 } ? null : "BPF_END";
            case BpfOp.Mov when IsImm(insn.Opcode):
                return insn is { Src: 0, Off: 0 } ? null : "BPF_MOV";
            case BpfOp.Mov when IsAddrSpaceCast(insn):
                return null;
            case BpfOp.Mov:
                var isExtending = insn.Off is 8 or 16 || (insn.Class == InsnClass.Alu64 && insn.Off == 32);
                return insn.Imm == 0 && (insn.Off == 0 || isExtending) ? null : "BPF_MOV";
        }

        var isDivision = op is BpfOp.Div or BpfOp.Mod;
        return (insn.Off == 0 || (isDivision && insn.Off == 1)) && (IsImm(insn.Opcode) ? insn.Src : insn.Imm) == 0
            ? null : "BPF_ALU";
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

    private static string? ReservedInJump(in BpfInsn insn)
    {
        switch (insn.Opcode & BpfOp.OpMask)
        {
            case BpfOp.Call:
                return insn.Dst == 0 && insn.Src <= BpfOp.PseudoKfuncCall
                    && (insn.Off == 0 || insn.Src == BpfOp.PseudoKfuncCall) ? null : "BPF_CALL";
            case BpfOp.Exit:
                return insn is { Dst: 0, Src: 0, Imm: 0 } ? null : "BPF_EXIT";
            case BpfOp.Ja:
                return insn is { Dst: 0, Src: 0 } && (insn.Class == InsnClass.Jmp ? insn.Imm : insn.Off) == 0
                    ? null : "BPF_JA";
            case BpfOp.Jcond:
                return null;
            default:
                return (IsImm(insn.Opcode) ? insn.Src : insn.Imm) == 0 ? null : "BPF_JMP/JMP32";
        }
    }

    private static string? LdImm64Fault(BpfInsn insn, BpfInsn? second) =>
        second is not { Opcode: 0, Regs: 0, Off: 0 } ? "invalid bpf_ld_imm64 insn"
        : ReservedFault(insn) ?? (insn.Src > BpfOp.PseudoMapIdxValue ? "unrecognized bpf_ld_imm64 insn" : null);

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
