using System.Reflection.Emit;
using Kptr.Isa;

namespace Kptr.Execution;

// Jumps, calls and returns.
internal sealed partial class FuncEmitter
{
    private void EmitJumpClass(int slot, BpfInsn insn)
    {
        var op = insn.Opcode & BpfOp.OpMask;
        if (insn.IsLocalCall)
        {
            EmitLocalCall(slot);
        }
        else if (ProgLayout.IsOuterCall(insn))
        {
            EmitOuter(StopKind.Call, slot);
        }
        else if (ProgLayout.EndsPath(insn))
        {
            SpillFuel();
            LoadReg(0);
            _il.Emit(OpCodes.Ret);
        }
        else if (op == BpfOp.Ja)
        {
            EmitTake(slot);
        }
        else
        {
            EmitConditional(slot, insn, op);
        }
    }

    private void EmitConditional(int slot, BpfInsn insn, int op)
    {
        // Jumps ahead are one branch. Those that cost something are passed by where they are not taken.
        var isPlain = _code.TargetOf(slot) > slot || _freeLoops?.IsFree(slot) == true;
        var label = isPlain ? _labels[_code.TargetOf(slot)!.Value] : _il.DefineLabel();
        if (op == BpfOp.Jcond)
        {
            EmitMayGoto();
        }
        else
        {
            LoadCompared(insn, op);
        }

        _il.Emit(BranchOf(op, isPlain), label);
        if (!isPlain)
        {
            EmitTake(slot);
            _il.MarkLabel(label);
        }
    }

    private void LoadCompared(BpfInsn insn, int op)
    {
        var is64 = insn.Class == InsnClass.Jmp;
        LoadReg(insn.Dst, is64);
        LoadOperand(insn, is64);
        if (op == BpfOp.Jset)
        {
            _il.Emit(OpCodes.And);
        }
    }

    /// <summary>Counts a <c>may_goto</c>; taken where the count was zero.</summary>
    private void EmitMayGoto()
    {
        _il.Emit(OpCodes.Ldloc, _mayGotoLeft!);
        EmitConst(1);
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Stloc, _mayGotoLeft!);
        _il.Emit(OpCodes.Ldloc, _mayGotoLeft!);
        EmitConst(0);
    }

    /// <summary>The branch of the host for a jump, or for its opposite.</summary>
    private static System.Reflection.Emit.OpCode BranchOf(int op, bool isTaken) => op switch
    {
        BpfOp.Jeq => isTaken ? OpCodes.Beq : OpCodes.Bne_Un,
        BpfOp.Jne => isTaken ? OpCodes.Bne_Un : OpCodes.Beq,
        BpfOp.Jgt => isTaken ? OpCodes.Bgt_Un : OpCodes.Ble_Un,
        BpfOp.Jge => isTaken ? OpCodes.Bge_Un : OpCodes.Blt_Un,
        BpfOp.Jlt => isTaken ? OpCodes.Blt_Un : OpCodes.Bge_Un,
        BpfOp.Jle => isTaken ? OpCodes.Ble_Un : OpCodes.Bgt_Un,
        BpfOp.Jset => isTaken ? OpCodes.Brtrue : OpCodes.Brfalse,
        BpfOp.Jsgt => isTaken ? OpCodes.Bgt : OpCodes.Ble,
        BpfOp.Jsge => isTaken ? OpCodes.Bge : OpCodes.Blt,
        BpfOp.Jslt or BpfOp.Jcond => isTaken ? OpCodes.Blt : OpCodes.Bge,
        _ => isTaken ? OpCodes.Ble : OpCodes.Bgt,
    };

    /// <summary>Takes a jump: backward ones pay for the way to here again.</summary>
    private void EmitTake(int slot)
    {
        if (_code.TargetOf(slot) is not { } target)
        {
            EmitTrap(StopKind.BadTarget, slot);
            return;
        }

        if (target > slot || _freeLoops?.IsFree(slot) == true)
        {
            _il.Emit(OpCodes.Br, _labels[target]);
            return;
        }

        _il.Emit(OpCodes.Ldloc, _fuel);
        EmitConst((ulong)(_code.CostOf(slot) + (_freeLoops?.ExtraCost ?? 0)));
        _il.Emit(OpCodes.Sub);
        _il.Emit(OpCodes.Stloc, _fuel);
        _il.Emit(OpCodes.Ldloc, _fuel);
        EmitConst(0);
        var spent = _il.DefineLabel();
        _il.Emit(OpCodes.Blt, spent);
        _il.Emit(OpCodes.Br, _labels[target]);
        _rare.Add(() =>
        {
            _il.MarkLabel(spent);
            if (IsLoop(slot, target))
            {
                RefuelAndResume(slot, _labels[target]);
                return;
            }

            EmitRefuel(() => _il.Emit(OpCodes.Ldc_I4, slot));
            _il.Emit(OpCodes.Br, _labels[target]);
        });
    }

    private void EmitLocalCall(int slot)
    {
        EmitEnter(slot);
        if (_code.TargetOf(slot) is not { } target)
        {
            EmitTrap(StopKind.BadTarget, slot);
            return;
        }

        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_1);
        for (var reg = 1; reg <= 5; reg++)
        {
            LoadReg(reg);
        }

        _il.Emit(OpCodes.Call, _methods[target]);
        StoreReg(0);
        EmitPlace(MachineLayout.IsEnded);
        _il.Emit(OpCodes.Ldind_U1);
        _il.Emit(OpCodes.Brtrue, _end);
        _il.Emit(OpCodes.Ldarg_1);
        EmitCall(nameof(CompiledCalls.Leave));
        FetchFuel();
    }

    private void EmitEnter(int slot)
    {
        SpillFuel();
        SpillRegs(slot, 6);

        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldarg_1);
        _il.Emit(OpCodes.Ldc_I4, slot);
        _il.Emit(OpCodes.Ldc_I4, _code.CostOf(slot));
        EmitCall(nameof(CompiledCalls.Enter));
        _il.Emit(OpCodes.Brfalse, _end);
    }

    /// <summary>What the run does with the registers as they are, and leaves a result in r0.</summary>
    private void EmitOuter(StopKind kind, int slot)
    {
        if (kind == StopKind.Call && _prog.RawCallAt(slot) is not null)
        {
            EmitRawCall(slot);
            return;
        }

        SpillFuel();
        SpillRegs(slot, 0);

        if (kind == StopKind.Call)
        {
            if (_prog.IsPlainCallAt(slot))
            {
                EmitInvoke(slot);
                return;
            }

            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldc_I4, slot);
            EmitCall(nameof(CompiledCalls.Call));
        }
        else
        {
            EmitStop(kind, slot);
        }

        _il.Emit(OpCodes.Brfalse, _end);
        FetchReg(0);
        FetchFuel();
    }

    // The function goes on behind it, unless the body throws.
    private void EmitInvoke(int slot)
    {
        _il.Emit(OpCodes.Ldc_I4, slot);
        _il.Emit(OpCodes.Ldarg_0);
        for (var reg = 1; reg <= 5; reg++)
        {
            LoadReg(reg);
        }

        EmitCall(nameof(CompiledCalls.Invoke));
        StoreReg(0);
        FetchFuel();
    }

    /// <summary>Calls a helper of raw instructions. They have no ledger: nobody looks at registers meanwhile.</summary>
    private void EmitRawCall(int slot)
    {
        EmitPlace(MachineLayout.StopIdx);
        _il.Emit(OpCodes.Ldc_I4, slot);
        _il.Emit(OpCodes.Stind_I4);
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, slot);
        EmitCall(nameof(CompiledCalls.RawHelperAt));
        for (var reg = 1; reg <= 5; reg++)
        {
            LoadReg(reg);
        }

        _il.Emit(OpCodes.Callvirt, RawCall);
        StoreReg(0);
    }
}
