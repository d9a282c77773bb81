using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Emit;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>Writes one function of a program as a method of the host.</summary>
/// <remarks>
/// Registers are locals; <c>r1</c> to <c>r5</c> are arguments. What is rare stands behind the last instruction, so that
/// straight code stays straight.
/// </remarks>
internal sealed unsafe partial class FuncEmitter
{
    private static readonly FrozenDictionary<string, MethodInfo> Calls = MethodsOf(typeof(CompiledCalls));
    private static readonly MethodInfo RawCall = typeof(RawHelper).GetMethod(nameof(RawHelper.Invoke))!;

    private readonly Dictionary<int, DynamicMethod> _methods;
    private readonly FuncLayout _func;
    private readonly ProgLayout _layout;
    private readonly FrameFacts _frame;
    private readonly NeedlessChecks? _needless;
    private readonly FreeLoops? _freeLoops;
    private readonly Interpreter _prog;
    private readonly OpCode _code;
    private readonly ILGenerator _il;
    private readonly Label[] _labels;
    private readonly List<Action> _rare = [];
    private readonly Label _end;

    private readonly ContextUse? _context;
    private readonly UnsavedRegs? _unsaved;

    private FuncEmitter(
        Dictionary<int, DynamicMethod> methods, FuncLayout func, ProgLayout layout, Interpreter prog,
        NeedlessChecks? needless, ContextUse? context)
    {
        var code = prog.Code;
        (_methods, _func, _code, _needless, _context) = (methods, func, code, needless, context);
        _prog = prog;
        _layout = layout;
        _il = methods[func.Entry].GetILGenerator(64 * func.Slots.Length);
        _labels = new Label[code.Insns.Length];
        foreach (var slot in func.Slots)
        {
            _labels[slot] = _il.DefineLabel();
        }

        _frame = new(func, layout, code, hasContext: context is not null);
        _end = _il.DefineLabel();
        _unsaved = func.Slots.Any(s => ProgLayout.IsOuter(code.Insns[s]) || code.Insns[s].IsLocalCall)
            ? new(func, layout, prog) : null;
        _freeLoops = needless is null ? null : new(func, layout, code, needless);
        _hasLoops = func.Slots.Any(s => IsJump(s) && code.TargetOf(s) <= s && _freeLoops?.IsFree(s) != true);
        DeclareLocals();
    }

    /// <summary>A method without a body, so that others can be written that call it.</summary>
    [RequiresDynamicCode("Makes a method while it runs.")]
    internal static DynamicMethod Declare(string name) =>
        new(name, typeof(ulong), [typeof(ProgRun), typeof(Machine*), .. Enumerable.Repeat(typeof(ulong), 5)],
            typeof(ProgRun).Module, skipVisibility: true);

    /// <summary>Writes the body of <paramref name="func"/>.</summary>
    internal static void Emit(
        Dictionary<int, DynamicMethod> methods, FuncLayout func, ProgLayout layout, Interpreter prog,
        NeedlessChecks? needless, ContextUse? context) =>
            new FuncEmitter(methods, func, layout, prog, needless, context).EmitAll();

    private void EmitAll()
    {
        EmitPrologue();
        if (_func.Slots[0] != _func.Entry)
        {
            _il.Emit(OpCodes.Br, _labels[_func.Entry]);
        }

        for (var i = 0; i < _func.Slots.Length; i++)
        {
            var slot = _func.Slots[i];
            _il.MarkLabel(_labels[slot]);
            EmitInsn(slot, _code.Insns[slot]);
            EmitFallThrough(slot, i + 1 < _func.Slots.Length ? _func.Slots[i + 1] : -1);
        }

        // What is rare may add more of it.
        for (var i = 0; i < _rare.Count; i++)
        {
            _rare[i]();
        }

        EmitResumes();

        _il.MarkLabel(_end);
        LoadAt(MachineLayout.Reg(0));
        _il.Emit(OpCodes.Ret);
    }

    /// <summary>Goes to the slot that follows, where the next one written is another.</summary>
    private void EmitFallThrough(int slot, int nextWritten)
    {
        var insn = _code.Insns[slot];
        if (!_code.IsRunnable(slot) || ProgLayout.EndsPath(insn) || IsAlways(insn))
        {
            return;
        }

        var next = insn.Opcode == BpfOp.LdImm64 ? slot + 2 : slot + 1;
        if (next >= _code.Insns.Length)
        {
            EmitTrap(StopKind.BadTarget, Math.Max(0, _code.Insns.Length - 1));
        }
        else if (next != nextWritten)
        {
            _il.Emit(OpCodes.Br, _labels[next]);
        }
    }

    private void EmitInsn(int slot, BpfInsn insn)
    {
        if (!_code.IsRunnable(slot))
        {
            EmitTrap(StopKind.BadInsn, slot);
            return;
        }

        switch (insn.Class)
        {
            case InsnClass.Alu64 when _code.IsArena(slot):
                EmitUserCast(insn);
                break;
            case InsnClass.Alu64 or InsnClass.Alu:
                EmitAlu(insn, insn.Class == InsnClass.Alu64);
                break;
            case InsnClass.Ldx or InsnClass.Stx when insn.Class == InsnClass.Ldx || insn.IsLoadAcquire:
                EmitLoad(slot, insn);
                break;
            case InsnClass.St or InsnClass.Stx:
                EmitStore(slot, insn);
                break;
            case InsnClass.Ld when insn.Opcode == BpfOp.LdImm64:
                EmitConst(_code.ImmOf(slot));
                StoreReg(insn.Dst);
                break;
            case InsnClass.Ld:
                EmitOuter(StopKind.Packet, slot);
                break;
            default:
                EmitJumpClass(slot, insn);
                break;
        }
    }

    /// <summary>Ends the run here.</summary>
    private void EmitTrap(StopKind kind, int slot)
    {
        EmitStop(kind, slot);
        _il.Emit(OpCodes.Pop);
        _il.Emit(OpCodes.Br, _end);
    }

    /// <summary>Asks the run; its answer is on the evaluation stack.</summary>
    private void EmitStop(StopKind kind, int slot)
    {
        _il.Emit(OpCodes.Ldarg_0);
        _il.Emit(OpCodes.Ldc_I4, (int)kind);
        _il.Emit(OpCodes.Ldc_I4, slot);
        EmitCall(nameof(CompiledCalls.Stop));
    }

    private void EmitCall(string name) => _il.Emit(OpCodes.Call, Calls[name]);

    private void EmitConst(ulong value) => _il.Emit(OpCodes.Ldc_I8, (long)value);

    private bool IsJump(int slot) =>
        _code.IsRunnable(slot) && _code.Insns[slot] is { Class: InsnClass.Jmp or InsnClass.Jmp32 } insn
        && !ProgLayout.EndsPath(insn) && !insn.IsLocalCall && !ProgLayout.IsOuterCall(insn);

    private static FrozenDictionary<string, MethodInfo> MethodsOf(
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.NonPublicMethods
            | DynamicallyAccessedMemberTypes.PublicMethods)] Type type) =>
        type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public)
            .DistinctBy(m => m.Name).ToFrozenDictionary(m => m.Name);

    private static bool IsAlways(BpfInsn insn) =>
        insn.Class is InsnClass.Jmp or InsnClass.Jmp32 && (insn.Opcode & BpfOp.OpMask) == BpfOp.Ja;
}
