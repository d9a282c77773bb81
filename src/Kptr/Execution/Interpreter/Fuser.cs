using System.Collections.Immutable;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>Puts common sequences inside loops into one op each.</summary>
/// <remarks>
/// Every slot is looked at for itself: its op does its own work and that of some slots after it, which keep ops of
/// their own. A jump into a sequence thus always lands right, and sequences may overlap.
/// </remarks>
internal sealed unsafe class Fuser
{
    private readonly Op* _ops;
    private readonly ImmutableArray<BpfInsn> _insns;
    private readonly bool[] _isLegal;

    private Fuser(Op* ops, ImmutableArray<BpfInsn> insns, bool[] isLegal)
    {
        _ops = ops;
        _insns = insns;
        _isLegal = isLegal;
    }

    /// <summary>Fuses in place. The ops are those that single instructions have.</summary>
    internal static void Fuse(Op* ops, ImmutableArray<BpfInsn> insns, bool[] isLegal)
    {
        var fuser = new Fuser(ops, insns, isLegal);
        var isHot = InLoop(ops, insns.Length);

        // Upwards: a fused op is made from the plain ops behind it.
        for (var i = 0; i < insns.Length; i++)
        {
            if (isHot[i] && isLegal[i])
            {
                fuser.FuseAt(i);
            }
        }
    }

    private static bool[] InLoop(Op* ops, int count)
    {
        var depth = new int[count + 1];
        for (var i = 0; i < count; i++)
        {
            var target = ops[i].Target == null ? count : (int)(ops[i].Target - ops);
            if (target <= i)
            {
                depth[target]++;
                depth[i + 1]--;
            }
        }

        var isHot = new bool[count];
        for (int i = 0, open = 0; i < count; i++)
        {
            open += depth[i];
            isHot[i] = open > 0;
        }

        return isHot;
    }

    private void FuseAt(int i)
    {
        if (FuseIndex(i) || FuseMovChain(i))
        {
            return;
        }

        if (IsAlu(i))
        {
            FuseAlu(i);
        }
        else if (IsSkip(i))
        {
            Second(i);
            SetRun(i, KindSwitch.Jump(_insns[i], new SkipFirst(_insns[i + 1])));
        }
        else if (IsLegal(i + 1) && IsMem(i))
        {
            FuseMem(i);
        }
    }

    /// <summary>The slot of the access to an array element whose address is computed from here on, or -1.</summary>
    private int IndexedAt(int i)
    {
        if (!IsRegMove(i))
        {
            return -1;
        }

        var dst = _insns[i].Dst;
        var isBased = IsAdd(i + 1, dst, isReg: false) && IsAdd(i + 2, dst, isReg: true);
        var at = i + (isBased ? 3 : 2);
        if ((!isBased && !IsAdd(i + 1, dst, isReg: true)) || !IsLegal(at) || _insns[at - 1].Src == dst)
        {
            return -1;
        }

        var insn = _insns[at];
        var isLoad = insn.Class == InsnClass.Ldx && insn.Src == dst && insn.Dst == dst;
        var isStore = isBased && IsStx(at) && insn.Dst == dst && insn.Src != dst;
        return isLoad || isStore ? at : -1;
    }

    /// <summary>Addresses of array elements.</summary>
    private bool FuseIndex(int i)
    {
        var at = IndexedAt(i);
        if (at < 0)
        {
            return false;
        }

        var insn = _insns[at];
        var isBased = at == i + 3;
        var isStore = insn.Class == InsnClass.Stx;
        ref var op = ref _ops[i];
        SetRun(i, isStore ? KindSwitch.Mem(insn, default(BaseIndexStoreCase))
            : isBased ? KindSwitch.Mem(insn, default(BaseIndexLoadCase))
            : KindSwitch.Mem(insn, default(IndexLoadCase)));
        op.Imm = _ops[i + 1].Imm;
        op.Src2 = _ops[at - 1].Src;
        op.Src3 = _ops[at].Src;
        op.Off = insn.Off;
        op.Idx = at;
        return true;
    }

    private bool FuseMovChain(int i)
    {
        var dst = _insns[i].Dst;
        if (!IsRegMove(i) || !IsAluOn(i + 1, dst) || !IsAluOn(i + 2, dst) || Reads(i + 1, dst) || Reads(i + 2, dst))
        {
            return false;
        }

        ref var op = ref _ops[i];
        SetRun(i, AluThenAlu<MovChainShape>(i + 1, i + 2));
        op.Imm2 = _ops[i + 1].Imm;
        op.Imm3 = _ops[i + 2].Imm;
        op.Src2 = _ops[i + 1].Src;
        op.Src3 = _ops[i + 2].Src;
        op.Idx = i + 2;
        return true;
    }

    private void FuseAlu(int i)
    {
        var insn = _insns[i];
        if (IndexedAt(i + 1) >= 0)
        {
            return;
        }

        if (IsAlu(i + 1) && IsJump(i + 2) && !IsSkip(i + 2))
        {
            var (next, jump) = (_insns[i + 1], _insns[i + 2]);
            var isTest = IsRegMove(i) && next.Dst == insn.Dst && jump.Dst == insn.Dst && !Reads(i + 1, insn.Dst)
                && !Reads(i + 2, insn.Dst);
            Third(i);
            Second(i);
            Jumps(i, i + 2);
            SetRun(i, isTest ? KindSwitch.Alu(next, new MovAluJumpFirst(jump, IsBack(i + 2)))
                : KindSwitch.Alu(insn, new AluAluJumpFirst(next, jump, IsBack(i + 2))));
        }
        else if (IsJump(i + 1) && !IsSkip(i + 1))
        {
            Second(i);
            Jumps(i, i + 1);
            SetRun(i, KindSwitch.Alu(insn, new AluJumpFirst(_insns[i + 1], IsBack(i + 1))));
        }
        else if (IsGoto(i + 1))
        {
            Jumps(i, i + 1);
            SetRun(i, KindSwitch.Alu(insn, new AluGotoCase(IsBack(i + 1))));
        }
        else if (IsAlu(i + 1))
        {
            var isChain = insn.Dst == _insns[i + 1].Dst && !Reads(i + 1, insn.Dst);
            Second(i);
            SetRun(i, isChain ? AluThenAlu<ChainShape>(i, i + 1) : AluThenAlu<PairShape>(i, i + 1));
        }
    }

    private void FuseMem(int i)
    {
        var next = _insns[i + 1];
        var isLoad = _insns[i].Class == InsnClass.Ldx;
        nint run;
        if (isLoad && IsJump(i + 1) && !IsBack(i + 1))
        {
            run = KindSwitch.Jump(next, new LoadJumpFirst(_insns[i]));
            _ops[i].Target = _ops[i + 1].Target;
        }
        else if (IsAlu(i + 1) && IndexedAt(i + 1) < 0)
        {
            run = isLoad
                ? KindSwitch.Alu(next, new LoadAluFirst(_insns[i]))
                : KindSwitch.Alu(next, new StoreAluFirst(_insns[i]));
        }
        else
        {
            return;
        }

        // What can stop such an op is the access, which comes first.
        Second(i);
        _ops[i].Idx = i;
        SetRun(i, run);
    }

    /// <summary>Takes the operands of the next slot into this one's second places.</summary>
    private void Second(int i)
    {
        _ops[i].Imm2 = _ops[i + 1].Imm;
        _ops[i].Src2 = _ops[i + 1].Src;
        _ops[i].Dst2 = _ops[i + 1].Dst;
        _ops[i].Idx = i + 1;
    }

    /// <summary>Takes the operands of the slot after the next into this one's third places.</summary>
    private void Third(int i)
    {
        _ops[i].Imm3 = _ops[i + 2].Imm;
        _ops[i].Src3 = _ops[i + 2].Src;
        _ops[i].Dst3 = _ops[i + 2].Dst;
    }

    /// <summary>Lets a sequence end with the jump of a slot.</summary>
    private void Jumps(int i, int jump)
    {
        _ops[i].Target = _ops[jump].Target;
        _ops[i].Cost = _ops[jump].Cost;
        _ops[i].Idx = jump;
    }

    private void SetRun(int i, nint run) => _ops[i].Run = (delegate*<Op*, Machine*, Op*>)run;

    private nint AluThenAlu<TShape>(int first, int second)
        where TShape : struct, IAluPairShape =>
        KindSwitch.Alu(_insns[first], new AluAluFirst<TShape>(_insns[second]));

    private bool IsLegal(int i) => i < _insns.Length && _isLegal[i];

    private bool IsAlu(int i) => IsLegal(i) && _insns[i].Class is InsnClass.Alu or InsnClass.Alu64
        && (_insns[i].Opcode & BpfOp.OpMask) is not (BpfOp.End or BpfOp.Neg or BpfOp.Div or BpfOp.Mod);

    private bool IsAluOn(int i, int dst) => IsAlu(i) && _insns[i].Dst == dst;

    private bool IsRegMove(int i) => IsLegal(i) && _insns[i].Off == 0
        && _insns[i].Opcode == ((byte)InsnClass.Alu64 | BpfOp.Mov | BpfOp.X);

    private bool IsAdd(int i, int dst, bool isReg) => IsLegal(i) && _insns[i].Dst == dst
        && _insns[i].Opcode == ((byte)InsnClass.Alu64 | BpfOp.Add | (isReg ? BpfOp.X : BpfOp.K));

    /// <summary>Whether an instruction's second operand is this register.</summary>
    private bool Reads(int i, int reg) => (_insns[i].Opcode & BpfOp.X) != 0 && _insns[i].Src == reg;

    private bool IsJump(int i) => IsLegal(i) && _insns[i].Class is InsnClass.Jmp or InsnClass.Jmp32
        && JumpOps.IsConditional(_insns[i].Opcode & BpfOp.OpMask);

    /// <summary>Whether a jump skips one operation; left to itself it needs no prediction.</summary>
    private bool IsSkip(int i) => IsJump(i) && _insns[i].Off == 1 && IsAlu(i + 1);

    private bool IsGoto(int i) => IsLegal(i) && _insns[i].Opcode == ((byte)InsnClass.Jmp | BpfOp.Ja);

    private bool IsBack(int i) => _ops[i].Target <= _ops + i;

    private bool IsMem(int i) => _insns[i].Class == InsnClass.Ldx || IsStx(i);

    private bool IsStx(int i) => _insns[i].Class == InsnClass.Stx && (_insns[i].Opcode & BpfOp.ModeMask) == BpfOp.Mem;
}
