using System.Collections.Frozen;
using System.Reflection;
using System.Reflection.Emit;
using Kptr.Isa;

namespace Kptr.Execution;

// Arithmetic. What is more than one operation of the host is Isa's, called.
internal sealed partial class FuncEmitter
{
    private static readonly FrozenDictionary<string, MethodInfo> Alu = MethodsOf(typeof(AluOps));

    private void EmitAlu(BpfInsn insn, bool is64)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if (op == BpfOp.End)
        {
            EmitEnd(insn);
            return;
        }

        if (op != BpfOp.Mov)
        {
            LoadReg(insn.Dst, is64);
        }

        if (op != BpfOp.Neg)
        {
            LoadOperand(insn, is64);
        }

        if (OneOp(op) is { } code)
        {
            EmitShiftMask(op, is64 ? 63 : 31);
            _il.Emit(code);
        }
        else if (op == BpfOp.Mov)
        {
            EmitSignExtend(insn.Off, is64);
        }
        else
        {
            EmitQuotient(op == BpfOp.Div, insn.Off != 0, is64);
        }

        if (!is64)
        {
            _il.Emit(OpCodes.Conv_U8);
        }

        StoreReg(insn.Dst);
    }

    private void EmitQuotient(bool isDiv, bool isSigned, bool is64) => EmitAluOp((isDiv, isSigned) switch
    {
        (true, false) => is64 ? nameof(AluOps.Div64) : nameof(AluOps.Div32),
        (true, true) => is64 ? nameof(AluOps.SDiv64) : nameof(AluOps.SDiv32),
        (false, false) => is64 ? nameof(AluOps.Mod64) : nameof(AluOps.Mod32),
        _ => is64 ? nameof(AluOps.SMod64) : nameof(AluOps.SMod32),
    });

    /// <summary>The operation of the host that is the same, where one is.</summary>
    private static System.Reflection.Emit.OpCode? OneOp(int op) => op switch
    {
        BpfOp.Add => OpCodes.Add,
        BpfOp.Sub => OpCodes.Sub,
        BpfOp.Mul => OpCodes.Mul,
        BpfOp.Or => OpCodes.Or,
        BpfOp.And => OpCodes.And,
        BpfOp.Xor => OpCodes.Xor,
        BpfOp.Lsh => OpCodes.Shl,
        BpfOp.Rsh => OpCodes.Shr_Un,
        BpfOp.Arsh => OpCodes.Shr,
        BpfOp.Neg => OpCodes.Neg,
        _ => null,
    };

    private void LoadOperand(BpfInsn insn, bool is64)
    {
        if ((insn.Opcode & BpfOp.X) == 0)
        {
            if (is64)
            {
                EmitConst((ulong)insn.Imm);
            }
            else
            {
                _il.Emit(OpCodes.Ldc_I4, insn.Imm);
            }

            return;
        }

        LoadReg(insn.Src, is64);
    }

    private void EmitShiftMask(int op, int mask)
    {
        if (op is BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh)
        {
            _il.Emit(OpCodes.Conv_I4);
            _il.Emit(OpCodes.Ldc_I4, mask);
            _il.Emit(OpCodes.And);
        }
    }

    private void EmitSignExtend(int bits, bool is64)
    {
        switch (bits)
        {
            case 8:
                _il.Emit(OpCodes.Conv_I1);
                break;
            case 16:
                _il.Emit(OpCodes.Conv_I2);
                break;
            case 32:
                _il.Emit(OpCodes.Conv_I4);
                break;
            default:
                return;
        }

        if (is64)
        {
            _il.Emit(OpCodes.Conv_I8);
        }
    }

    private void EmitEnd(BpfInsn insn)
    {
        _il.Emit(OpCodes.Ldc_I4, (int)insn.Opcode);
        LoadReg(insn.Dst);
        _il.Emit(OpCodes.Ldc_I4, insn.Imm);
        EmitAluOp(nameof(AluOps.End));
        StoreReg(insn.Dst);
    }

    private void EmitAluOp(string name) => _il.Emit(OpCodes.Call, Alu[name]);
}
