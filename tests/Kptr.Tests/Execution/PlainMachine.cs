using Kptr.Isa;

namespace Kptr.Tests.Execution;

/// <summary>
/// The slowest machine there is: one instruction after the other, straight from Isa's definitions. No calls.
/// </summary>
internal sealed class PlainMachine(BpfInsn[] insns)
{
    // Far from every number that 32-bit arithmetic gives: such a one is an address nowhere.
    private const ulong FramePointer = 0x5a3c_0000_0000_0000;
    private readonly byte[] _stack = new byte[512];

    internal ulong[] Regs { get; } = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, FramePointer];

    /// <summary>Runs to the exit, or to the first access outside the stack.</summary>
    /// <returns>The slot of that access, or -1.</returns>
    internal int Run()
    {
        for (var at = 0; ; at++)
        {
            var insn = insns[at];
            var isReg = (insn.Opcode & BpfOp.X) != 0;
            var src = isReg ? Regs[insn.Src] : (ulong)insn.Imm;
            ref var dst = ref Regs[insn.Dst];
            var op = insn.Opcode & BpfOp.OpMask;
            switch (insn.Class)
            {
                case InsnClass.Alu64:
                    dst = op == BpfOp.End
                        ? AluOps.End(insn.Opcode, dst, insn.Imm)
                        : AluOps.Alu64(op, dst, src, insn.Off);
                    break;
                case InsnClass.Alu:
                    dst = op == BpfOp.End
                        ? AluOps.End(insn.Opcode, dst, insn.Imm)
                        : AluOps.Alu32(op, (uint)dst, (uint)src, insn.Off);
                    break;
                case InsnClass.Jmp or InsnClass.Jmp32 when op == BpfOp.Exit:
                    return -1;
                case InsnClass.Jmp:
                    at += op == BpfOp.Ja || JumpOps.IsTaken64(op, dst, src) ? insn.Off : 0;
                    break;
                case InsnClass.Jmp32:
                    at += JumpOps.IsTaken32(op, (uint)dst, (uint)src) ? insn.Off : 0;
                    break;
                default:
                    if (!TryAccess(insn))
                    {
                        return at;
                    }

                    break;
            }
        }
    }

    private bool TryAccess(BpfInsn insn)
    {
        var size = (insn.Opcode & BpfOp.SizeMask) switch { BpfOp.B => 1, BpfOp.H => 2, BpfOp.W => 4, _ => 8 };
        var isLoad = insn.Class == InsnClass.Ldx;
        var address = Regs[isLoad ? insn.Src : insn.Dst] + (ulong)insn.Off - (FramePointer - 512);
        if (address > 512 - (ulong)size)
        {
            return false;
        }

        var bytes = _stack.AsSpan((int)address, size);
        if (!isLoad)
        {
            BitConverter.GetBytes(insn.Class == InsnClass.Stx
                ? Regs[insn.Src]
                : (ulong)insn.Imm).AsSpan(0, size).CopyTo(bytes);
            return true;
        }

        var whole = new byte[8];
        bytes.CopyTo(whole);
        var value = BitConverter.ToUInt64(whole);
        Regs[insn.Dst] = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Memsx ? AluOps.SignExtend(value, size * 8) : value;
        return true;
    }
}
