using System.Reflection.Emit;
using Kptr.Isa;

namespace Kptr.Execution;

// Where registers, regions and fuel are while a function runs, and in the machine while somebody else does.
internal sealed partial class FuncEmitter
{
    private readonly LocalBuilder?[] _regs = new LocalBuilder?[Machine.RegCount];
    private readonly bool _hasLoops;
    private LocalBuilder _address = null!;
    private LocalBuilder _fuel = null!;
    private LocalBuilder? _host;
    private LocalBuilder? _mayGotoLeft;
    private LocalBuilder? _resume;
    private LocalBuilder? _spentAt;
    private Label _refuel;
    private Label _resumes;
    private readonly List<Label> _resumeLabels = [];

    private void DeclareLocals()
    {
        foreach (var reg in (int[])[0, 6, 7, 8, 9, 10])
        {
            _regs[reg] = _il.DeclareLocal(typeof(ulong));
        }

        _address = _il.DeclareLocal(typeof(ulong));
        _fuel = _il.DeclareLocal(typeof(long));
        if (_hasLoops)
        {
            _resume = _il.DeclareLocal(typeof(int));
            _spentAt = _il.DeclareLocal(typeof(int));
            _refuel = _il.DefineLabel();
            _resumes = _il.DefineLabel();
        }
    }

    // The host keeps in memory what lives across a call, wherever in a loop that call is. So a loop that asks for fuel
    // is left for that, and entered again at its head from a place of which the host cannot tell that only the loop
    // leads there: it looks as if the method could begin with it.
    private void EmitOtherWayIn()
    {
        if (_resume is not null)
        {
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Brfalse, _resumes);
        }
    }

    // Whether a jump back ends a round of a loop: every way to it leads over where it goes. Others leave a loop for
    // what stands before it, into the middle of the loop around; entered there, that would be none to the host.
    private bool IsLoop(int slot, int target)
    {
        var isSeen = new bool[_code.Insns.Length];
        isSeen[target] = true;
        var open = new Stack<int>();
        if (_func.Entry != target)
        {
            isSeen[_func.Entry] = true;
            open.Push(_func.Entry);
        }

        while (open.TryPop(out var at))
        {
            foreach (var next in _layout.Next(at))
            {
                if (!isSeen[next])
                {
                    isSeen[next] = true;
                    open.Push(next);
                }
            }
        }

        return slot == target || !isSeen[slot];
    }

    // All loops ask in one place: a call costs the host's JIT more than anything else here.
    private void RefuelAndResume(int slot, Label head)
    {
        if (!_resumeLabels.Contains(head))
        {
            _resumeLabels.Add(head);
        }

        _il.Emit(OpCodes.Ldc_I4, _resumeLabels.IndexOf(head));
        _il.Emit(OpCodes.Stloc, _resume!);
        _il.Emit(OpCodes.Ldc_I4, slot);
        _il.Emit(OpCodes.Stloc, _spentAt!);
        _il.Emit(OpCodes.Br, _refuel);
    }

    private void EmitRefuel(Action loadSlot)
    {
        SpillFuel();
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, (int)StopKind.Fuel);
        loadSlot();
        EmitCall(nameof(CompiledCalls.Stop));
        _il.Emit(OpCodes.Brfalse, _end);
        FetchFuel();
    }

    private void EmitResumes()
    {
        if (_resume is null)
        {
            return;
        }

        _il.MarkLabel(_refuel);
        EmitRefuel(() => _il.Emit(OpCodes.Ldloc, _spentAt!));
        _il.MarkLabel(_resumes);
        _il.Emit(OpCodes.Ldloc, _resume);
        _il.Emit(OpCodes.Switch, [.. _resumeLabels]);
        _il.Emit(OpCodes.Br, _end);
    }

    private void EmitPrologue()
    {
        LoadAt(MachineLayout.StackLow);
        EmitConst(Machine.StackBytes);
        _il.Emit(OpCodes.Add);
        StoreReg(10);
        FetchFuel();
        if (_func.Slots.Any(s => IsJump(s) && (_code.Insns[s].Opcode & BpfOp.OpMask) == BpfOp.Jcond))
        {
            _mayGotoLeft = _il.DeclareLocal(typeof(long));
            EmitConst((ulong)Machine.MayGotoMax);
            _il.Emit(OpCodes.Stloc, _mayGotoLeft);
        }

        for (var reg = 0; reg <= 9 && _unsaved is not null; reg++)
        {
            SpillReg(reg);
        }

        EmitOtherWayIn();
    }

    /// <summary>Puts a register on the evaluation stack, or its low 32 bits.</summary>
    private void LoadReg(int reg, bool is64 = true)
    {
        if (_regs[reg] is { } local)
        {
            _il.Emit(OpCodes.Ldloc, local);
        }
        else
        {
            _il.Emit(OpCodes.Ldarg_S, (byte)(reg + 1));
        }

        if (!is64)
        {
            _il.Emit(OpCodes.Conv_U4);
        }
    }

    private void StoreReg(int reg)
    {
        if (_regs[reg] is { } local)
        {
            _il.Emit(OpCodes.Stloc, local);
        }
        else
        {
            _il.Emit(OpCodes.Starg_S, (byte)(reg + 1));
        }
    }

    /// <summary>Puts a register where the run looks for it.</summary>
    private void SpillReg(int reg)
    {
        EmitPlace(MachineLayout.Reg(reg));
        LoadReg(reg);
        _il.Emit(OpCodes.Stind_I8);
    }

    /// <summary>Puts registers there from one on, but for those that are.</summary>
    private void SpillRegs(int slot, int first)
    {
        for (var reg = first; reg <= 9; reg++)
        {
            if (_unsaved!.IsUnsaved(slot, reg))
            {
                SpillReg(reg);
            }
        }
    }

    /// <summary>Takes back what the run left there.</summary>
    private void FetchReg(int reg)
    {
        LoadAt(MachineLayout.Reg(reg));
        StoreReg(reg);
    }

    private void EmitPlace(int off)
    {
        _il.Emit(OpCodes.Ldarg_1);
        _il.Emit(OpCodes.Ldc_I4, off);
        _il.Emit(OpCodes.Add);
    }

    private void LoadAt(int off)
    {
        EmitPlace(off);
        _il.Emit(OpCodes.Ldind_I8);
    }

    private void FetchFuel()
    {
        if (_hasLoops)
        {
            LoadAt(MachineLayout.Fuel);
            _il.Emit(OpCodes.Stloc, _fuel);
        }
    }

    private void SpillFuel()
    {
        if (_hasLoops)
        {
            EmitPlace(MachineLayout.Fuel);
            _il.Emit(OpCodes.Ldloc, _fuel);
            _il.Emit(OpCodes.Stind_I8);
        }
    }
}
