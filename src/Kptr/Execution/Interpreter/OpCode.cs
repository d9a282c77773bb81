using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>
/// A program's instructions, pre-decoded into native memory. Immutable; any number of runs use it at once.
/// </summary>
/// <remarks>
/// Slots that are no legal instruction become ops that stop the run when it gets there; ops behind the last slot
/// catch control that falls off the end and, one for each such jump, that jumps out or into a two-slot load. Two
/// operands that only the verifier refuses run as RFC 9669 defines them: division by an immediate zero, and
/// immediate shifts past the width.
/// </remarks>
internal sealed unsafe class OpCode
{
    internal const byte CallX = (byte)InsnClass.Jmp | BpfOp.Call | BpfOp.X;

    /// <summary>What an address of a callback is made of: no canonical address, and the slot of the callback.</summary>
    internal const ulong FuncTag = 0x4b42_0000_0000_0000;

    private readonly Op* _ops;
    private readonly ImmutableArray<BpfInsn> _insns;
    private readonly bool[] _isSecondHalf;
    private readonly bool[] _isRunnable;
    private readonly Func<int, ulong>? _addressOf;

    /// <summary>Decodes a linked program.</summary>
    /// <param name="insns">The slots.</param>
    /// <param name="addressOf">The value of a two-slot load with a pseudo source other than a
    /// function, by its slot.</param>
    /// <param name="arena">Which slots go to the program's arena; null where it has none.</param>
    /// <param name="isFused">Whether common sequences become one op: worth it for code that repeats.</param>
    internal OpCode(
        ImmutableArray<BpfInsn> insns, Func<int, ulong>? addressOf = null, ArenaCode? arena = null,
        bool isFused = false)
    {
        _addressOf = addressOf;
        Arena = arena;
        _insns = insns;
        _isSecondHalf = new bool[insns.Length];
        for (var i = 0; i + 1 < insns.Length; i++)
        {
            _isSecondHalf[i + 1] = insns[i].Opcode == BpfOp.LdImm64 && !_isSecondHalf[i];
        }

        _isRunnable = [.. insns.Select((_, i) => IsLegal(i))];
        UsesStack = insns.Any(i => i.Dst == (int)BpfReg.R10 || i.Src == (int)BpfReg.R10);
        var strays = Enumerable.Range(0, insns.Length).Where(IsStray).ToList();
        var sizeBytes = (nuint)(insns.Length + 1 + strays.Count) * Op.SizeBytes;
        _ops = (Op*)NativeMemory.AlignedAlloc(sizeBytes, Op.SizeBytes);
        NativeMemory.Clear(_ops, sizeBytes);
        for (var i = 0; i < insns.Length; i++)
        {
            Decode(i);
        }

        SetTrap(insns.Length, Math.Max(0, insns.Length - 1));
        for (var i = 0; i < strays.Count; i++)
        {
            SetTrap(insns.Length + 1 + i, strays[i]);
            _ops[strays[i]].Target = _ops + insns.Length + 1 + i;
        }

        // Native code never fuses. The handlers are generics over each other, half a million together: the JIT makes
        // those that a program needs, and a compiler ahead of time, to which this condition is false, would make all.
        if (isFused && RuntimeFeature.IsDynamicCodeCompiled)
        {
            Fuser.Fuse(_ops, insns, [.. Enumerable.Range(0, insns.Length).Select(i => IsRunnable(i) && !IsArena(i))]);
        }
    }

    /// <summary>Frees the memory once no run refers to it.</summary>
    ~OpCode() => NativeMemory.AlignedFree(_ops);

    /// <summary>The slots it was made from.</summary>
    internal ImmutableArray<BpfInsn> Insns => _insns;

    /// <summary>What of the program goes to its arena, or null. Keeps the arena's pages there.</summary>
    internal ArenaCode? Arena { get; }

    /// <summary>Whether an instruction names the frame pointer, without which a program reaches no byte of its
    /// stack.</summary>
    internal bool UsesStack { get; }

    /// <summary>The op of a slot.</summary>
    internal Op* this[int idx] => (uint)idx < (uint)_insns.Length ? _ops + idx : _ops + _insns.Length;

    /// <summary>Whether an op stands for a slot, and not for what is behind the last one.</summary>
    internal bool IsSlot(Op* op) => op < _ops + _insns.Length;

    /// <summary>The same code with common sequences fused; a new one each time.</summary>
    internal OpCode Fused() => new(_insns, _addressOf, Arena, isFused: true);

    /// <summary>Whether a slot is a legal instruction that an engine runs.</summary>
    internal bool IsRunnable(int idx) => _isRunnable[idx];

    /// <summary>Whether a slot is a two-slot load's second half, where no jump may lead.</summary>
    internal bool IsSecondHalf(int idx) => _isSecondHalf[idx];

    /// <summary>The value of a two-slot load.</summary>
    internal ulong ImmOf(int idx) => _ops[idx].Imm;

    /// <summary>What a taken backward jump or a call costs.</summary>
    internal int CostOf(int idx) => _ops[idx].Cost;

    /// <summary>Where a jump or call within the program leads; null for none, and for out of the program.</summary>
    internal int? TargetOf(int idx) =>
        !IsStray(idx) && InsnCheck.TargetOf(_insns[idx], idx) is { } target ? (int)target : null;

    /// <summary>The slot of the callback that an address stands for, or -1.</summary>
    internal int FuncSlot(ulong func)
    {
        var slot = func ^ FuncTag;
        return slot < (ulong)_insns.Length ? (int)slot : -1;
    }

    /// <summary>Whether a slot loads or stores through a pointer into the arena, or makes one for user
    /// space.</summary>
    internal bool IsArena(int idx) => Arena is { } arena && (arena.IsAccess(idx) || ArenaCode.IsUserCast(_insns[idx]));

    private void Decode(int idx)
    {
        var insn = _insns[idx];
        ref var op = ref _ops[idx];
        op.Idx = idx;
        op.Dst = (ushort)(insn.Dst * sizeof(ulong));
        op.Src = (ushort)(insn.Src * sizeof(ulong));
        op.Off = insn.Off;
        op.Imm = (ulong)insn.Imm;
        if (!IsRunnable(idx))
        {
            op.Run = &Handlers.BadInsn;
            return;
        }

        if (IsArena(idx))
        {
            DecodeArena(ref op, insn);
            return;
        }

        switch (insn.Class)
        {
            case InsnClass.Alu or InsnClass.Alu64:
                op.Run = (delegate*<Op*, Machine*, Op*>)OpTable.Alu(insn);
                break;
            case InsnClass.Ldx or InsnClass.Stx when insn.Class == InsnClass.Ldx || insn.IsLoadAcquire:
                op.Run = (delegate*<Op*, Machine*, Op*>)OpTable.Load(insn);
                break;
            case InsnClass.St or InsnClass.Stx:
                op.Run = (delegate*<Op*, Machine*, Op*>)OpTable.Store(insn);
                break;
            case InsnClass.Ld when insn.Opcode != BpfOp.LdImm64:
                op.Run = &Handlers.Packet;
                break;
            case InsnClass.Ld:
                op.Run = &Handlers.Imm64;
                op.Imm = insn.Src switch
                {
                    0 => InsnCodec.Imm64(insn, _insns[idx + 1]),
                    BpfOp.PseudoFunc => FuncTag ^ (ulong)(idx + 1L + insn.Imm),
                    _ => _addressOf?.Invoke(idx) ?? InsnCodec.Imm64(insn, _insns[idx + 1]),
                };
                break;
            default:
                DecodeJump(ref op, insn, idx);
                break;
        }
    }

    private void DecodeArena(ref Op op, BpfInsn insn)
    {
        if (ArenaCode.IsUserCast(insn))
        {
            op.Run = &Handlers.UserCast;
            op.Imm = Arena!.UserHigh;
            return;
        }

        op.Run = (delegate*<Op*, Machine*, Op*>)OpTable.Arena(insn);
        op.Imm2 = (ulong)Arena!.Space;
    }

    private void DecodeJump(ref Op op, BpfInsn insn, int idx)
    {
        var isBack = false;
        op.Cost = 1;
        if (!IsStray(idx) && InsnCheck.TargetOf(insn, idx) is { } target)
        {
            isBack = target <= idx;
            op.Target = _ops + target;
            op.Cost = isBack ? (int)(idx - target + 1) : 1;
        }

        var kind = insn.Opcode & BpfOp.OpMask;
        op.Run = kind switch
        {
            BpfOp.Exit => &Handlers.Exit,
            BpfOp.Call when insn.IsLocalCall => &Handlers.CallLocal,
            BpfOp.Call => &Handlers.CallOut,
            BpfOp.Ja => isBack ? &Handlers.Always<Backward> : &Handlers.Always<Forward>,
            BpfOp.Jcond => isBack ? &Handlers.MayGoto<Backward> : &Handlers.MayGoto<Forward>,
            _ => (delegate*<Op*, Machine*, Op*>)OpTable.Jump(insn, isBack),
        };
    }

    /// <summary>Whether a jump or call leads out of the program or into the second half of a load.</summary>
    private bool IsStray(int idx) =>
        _insns[idx].Class is InsnClass.Jmp or InsnClass.Jmp32 && InsnCheck.TargetOf(_insns[idx], idx) is { } target
        && (target < 0 || target >= _insns.Length || _isSecondHalf[target]);

    private void SetTrap(int at, int idx)
    {
        _ops[at].Run = &Handlers.BadTarget;
        _ops[at].Idx = idx;
    }

    private bool IsLegal(int idx)
    {
        var insn = _insns[idx];
        if (_isSecondHalf[idx])
        {
            return false;
        }

        if (insn.Opcode == CallX)
        {
            return insn is { Src: 0, Off: 0, Imm: 0 } && insn.Dst <= (int)BpfReg.R9;
        }

        // Native code leaves out checks of addresses in its own frame: whatever writes a register, never r10.
        return InsnCheck.EncodingFault(insn, idx + 1 < _insns.Length ? _insns[idx + 1] : null) is null
            && (Liveness.Use(insn, isRaw: true).Writes & (1 << (int)BpfReg.R10)) == 0;
    }
}
