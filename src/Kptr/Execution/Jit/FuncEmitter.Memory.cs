using System.Reflection.Emit;
using Kptr.Isa;

namespace Kptr.Execution;

// Loads, stores and atomics, each checked against the stack and the region last used.
internal sealed partial class FuncEmitter
{
    private void EmitLoad(int slot, BpfInsn insn)
    {
        var done = _il.DefineLabel();
        EmitCheck(slot, insn, insn.Src, isWrite: false, () =>
        {
            FetchReg(insn.Dst);
            _il.Emit(OpCodes.Br, done);
        });
        EmitRead(insn);
        StoreReg(insn.Dst);
        if (insn.IsLoadAcquire)
        {
            EmitCall(nameof(CompiledCalls.Barrier));
        }

        _il.MarkLabel(done);
    }

    private void EmitStore(int slot, BpfInsn insn)
    {
        var done = _il.DefineLabel();
        if (insn.IsStoreRelease)
        {
            EmitCall(nameof(CompiledCalls.Barrier));
        }

        EmitCheck(slot, insn, insn.Dst, isWrite: true, () =>
        {
            if (insn.IsAtomic)
            {
                FetchReg(insn.Src);
                FetchReg(0);
            }

            _il.Emit(OpCodes.Br, done);
        });
        if (insn.IsAtomic)
        {
            EmitAtomic(insn);
        }
        else
        {
            LoadStored(insn);
            EmitWrite(insn);
        }

        _il.MarkLabel(done);
    }

    /// <summary>Leaves the address on the evaluation stack once it is known to be live.</summary>
    /// <param name="slot">The instruction's slot.</param>
    /// <param name="insn">The instruction.</param>
    /// <param name="baseReg">Its register with the address.</param>
    /// <param name="isWrite">Whether memory is written.</param>
    /// <param name="after">Written where the run has done the access itself: in an arena.</param>
    private void EmitCheck(int slot, BpfInsn insn, int baseReg, bool isWrite, Action after)
    {
        var sizeBytes = insn.AccessBytes;
        if (_frame.Off(slot, baseReg) + insn.Off is { } off && off >= -Machine.StackBytes && off + sizeBytes <= 0
            && (!insn.IsAtomic || off % sizeBytes == 0))
        {
            LoadReg(10);
            EmitConst((ulong)off);
            _il.Emit(OpCodes.Add);
            return;
        }

        if (_code.IsArena(slot))
        {
            EmitArenaCheck(slot, insn, baseReg, after);
            return;
        }

        var isProven = _needless?.IsLive(slot) == true;
        LoadReg(baseReg);
        EmitConst((ulong)insn.Off);
        _il.Emit(OpCodes.Add);
        if (!insn.IsAtomic && (isProven || IsInBounds(slot, insn, baseReg, isWrite)))
        {
            return;
        }

        var (fast, run) = (_il.DefineLabel(), _il.DefineLabel());
        _il.Emit(OpCodes.Stloc, _address);
        if (insn.IsAtomic)
        {
            _il.Emit(OpCodes.Ldloc, _address);
            EmitConst((ulong)(sizeBytes - 1));
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Brtrue, run);
        }

        if (isProven)
        {
            _il.MarkLabel(fast);
            _il.Emit(OpCodes.Ldloc, _address);
            _rare.Add(() =>
            {
                _il.MarkLabel(run);
                EmitFind(slot);
                _il.Emit(OpCodes.Br, fast);
            });
            return;
        }

        // The likely place first; the run knows all others.
        if (_frame.IsFrame(slot, baseReg))
        {
            EmitInOwnFrame(sizeBytes);
        }
        else
        {
            EmitInWindow(isWrite, sizeBytes);
        }

        _il.Emit(OpCodes.Bgt_Un, run);
        _il.MarkLabel(fast);
        _il.Emit(OpCodes.Ldloc, _address);
        _rare.Add(() =>
        {
            _il.MarkLabel(run);
            EmitFind(slot);
            _il.Emit(OpCodes.Br, fast);
        });
    }

    // The frame is there while the function runs. So is the context while the run does, which may be one to be read
    // only.
    private bool IsInBounds(int slot, BpfInsn insn, int baseReg, bool isWrite) =>
        _frame.IsInFrame(slot, baseReg, insn.Off, insn.AccessBytes)
        || (!isWrite && _context is not null
            && _frame.ContextEnd(slot, baseReg, insn.Off, insn.AccessBytes) is { } end && _context.Covers(end));

    // Each of these leaves two numbers: the access is outside where the first is above the second.

    /// <summary>This frame, whose length is known; the number that it takes is a constant.</summary>
    private void EmitInOwnFrame(int sizeBytes)
    {
        _il.Emit(OpCodes.Ldloc, _address);
        LoadAt(MachineLayout.StackLow);
        _il.Emit(OpCodes.Sub);
        EmitConst((ulong)(Machine.StackBytes - sizeBytes));
    }

    /// <summary>The region last used.</summary>
    private void EmitInWindow(bool isWrite, int sizeBytes)
    {
        _il.Emit(OpCodes.Ldloc, _address);
        LoadAt(MachineLayout.WindowLow(isWrite));
        _il.Emit(OpCodes.Sub);
        LoadAt(MachineLayout.WindowLast(isWrite, sizeBytes));
    }

    /// <summary>Has the run look for the address, and end where it finds none.</summary>
    private void EmitFind(int slot)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldloc, _address);
        _il.Emit(OpCodes.Ldc_I4, slot);
        EmitCall(nameof(CompiledCalls.Find));
        _il.Emit(OpCodes.Stloc, _address);
        _il.Emit(OpCodes.Ldloc, _address);
        _il.Emit(OpCodes.Brfalse, _end);
    }

    /// <summary>Has the run do the access, or end.</summary>
    private void EmitAccess(int slot, BpfInsn insn)
    {
        if (insn.Class == InsnClass.Stx)
        {
            SpillReg(insn.Src);
        }

        if (insn.IsAtomic)
        {
            SpillReg(0);
        }

        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldloc, _address);
        _il.Emit(OpCodes.Ldc_I4, slot);
        EmitCall(nameof(CompiledCalls.Access));
        _il.Emit(OpCodes.Brfalse, _end);
    }

    private void EmitRead(BpfInsn insn)
    {
        var isSigned = (insn.Opcode & BpfOp.ModeMask) == BpfOp.Memsx;
        _il.Emit(OpCodes.Unaligned, (byte)1);
        _il.Emit(insn.AccessBytes switch
        {
            1 => isSigned ? OpCodes.Ldind_I1 : OpCodes.Ldind_U1,
            2 => isSigned ? OpCodes.Ldind_I2 : OpCodes.Ldind_U2,
            4 => isSigned ? OpCodes.Ldind_I4 : OpCodes.Ldind_U4,
            _ => OpCodes.Ldind_I8,
        });
        _il.Emit(isSigned ? OpCodes.Conv_I8 : OpCodes.Conv_U8);
    }

    private void LoadStored(BpfInsn insn)
    {
        if (insn.Class == InsnClass.Stx)
        {
            LoadReg(insn.Src);
        }
        else
        {
            EmitConst((ulong)insn.Imm);
        }
    }

    private void EmitWrite(BpfInsn insn)
    {
        var sizeBytes = insn.AccessBytes;
        if (sizeBytes < sizeof(ulong))
        {
            _il.Emit(OpCodes.Conv_I4);
        }

        _il.Emit(OpCodes.Unaligned, (byte)1);
        _il.Emit(sizeBytes switch
        {
            1 => OpCodes.Stind_I1,
            2 => OpCodes.Stind_I2,
            4 => OpCodes.Stind_I4,
            _ => OpCodes.Stind_I8,
        });
    }

    private void EmitAtomic(BpfInsn insn)
    {
        LoadReg(insn.Src);
        LoadReg(0);
        _il.Emit(OpCodes.Ldc_I4, insn.Imm);
        EmitCall(insn.AccessBytes == sizeof(ulong) ? nameof(CompiledCalls.Atomic64) : nameof(CompiledCalls.Atomic32));
        if (insn.Imm == BpfOp.CmpXchg)
        {
            StoreReg(0);
        }
        else if ((insn.Imm & BpfOp.Fetch) != 0)
        {
            StoreReg(insn.Src);
        }
        else
        {
            _il.Emit(OpCodes.Pop);
        }
    }
}
