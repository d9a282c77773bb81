using System.Reflection.Emit;
using Kptr.Isa;

namespace Kptr.Execution;

// Accesses of the program's arena, and pointers into it for user space.
internal sealed unsafe partial class FuncEmitter
{
    /// <summary>Leaves the address in the host on the evaluation stack once its page is known to be there.</summary>
    private void EmitArenaCheck(int slot, BpfInsn insn, int baseReg, Action after)
    {
        var run = _il.DefineLabel();
        var sizeBytes = insn.AccessBytes;
        _host ??= _il.DeclareLocal(typeof(ulong));
        LoadReg(baseReg, is64: false);
        _il.Emit(OpCodes.Conv_U8);
        EmitConst((ulong)insn.Off);
        _il.Emit(OpCodes.Add);
        _il.Emit(OpCodes.Stloc, _address);
        _il.Emit(OpCodes.Ldloc, _address);
        EmitConst((ulong)_code.Arena!.Space);
        _il.Emit(OpCodes.Ldc_I4, sizeBytes);
        EmitCall(nameof(CompiledCalls.InArena));
        _il.Emit(OpCodes.Stloc, _host);
        _il.Emit(OpCodes.Ldloc, _host);
        _il.Emit(OpCodes.Brfalse, run);
        if (insn.IsAtomic)
        {
            _il.Emit(OpCodes.Ldloc, _host);
            EmitConst((ulong)(sizeBytes - 1));
            _il.Emit(OpCodes.And);
            _il.Emit(OpCodes.Brtrue, run);
        }

        _il.Emit(OpCodes.Ldloc, _host);
        _rare.Add(() =>
        {
            _il.MarkLabel(run);
            EmitAccess(slot, insn);
            after();
        });
    }

    private void EmitUserCast(BpfInsn insn)
    {
        var done = _il.DefineLabel();
        LoadReg(insn.Src, is64: false);
        _il.Emit(OpCodes.Conv_U8);
        StoreReg(insn.Dst);
        LoadReg(insn.Dst);
        _il.Emit(OpCodes.Brfalse, done);
        LoadReg(insn.Dst);
        EmitConst(_code.Arena!.UserHigh);
        _il.Emit(OpCodes.Or);
        StoreReg(insn.Dst);
        _il.MarkLabel(done);
    }
}
