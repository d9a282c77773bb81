using System.Collections.Immutable;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier.Cfg;

namespace Kptr.Verifier.Liveness;

/// <summary>Registers that hold the same constant on every way to an instruction.</summary>
/// <remarks>
/// Numbers of 32 bits, maps and functions; a constant that a branch tells is not seen. Kernel:
/// <c>bpf_compute_const_regs</c> (kernel/bpf/const_fold.c, 7.2).
/// </remarks>
internal sealed class ConstantRegs
{
    private const int Regs = 11;
    private readonly BpfInsn[] _insns;
    private readonly SubprogTable _subprogs;
    private readonly IMapFacts _maps;
    private readonly ImmutableArray<int> _maybes;
    private readonly Constant[] _before;

    /// <summary>Finds them, forwards until nothing changes.</summary>
    /// <param name="insns">The instructions.</param>
    /// <param name="subprogs">Their functions.</param>
    /// <param name="order">Their order.</param>
    /// <param name="maps">What is known of the program's maps.</param>
    /// <param name="maybes">Instructions whose number is not known: <see cref="ProgSpec.MaybeAddresses"/>.</param>
    public ConstantRegs(
        BpfInsn[] insns, SubprogTable subprogs, PostOrder order, IMapFacts maps, ImmutableArray<int> maybes)
    {
        (_insns, _subprogs, _maps, _maybes) = (insns, subprogs, maps, maybes);
        _before = new Constant[insns.Length * Regs];
        foreach (var sub in subprogs)
        {
            At(sub.Start).Fill(Constant.Unknown);
        }

        var all = order.All;
        Span<Constant> after = stackalloc Constant[Regs];
        Span<int> next = stackalloc int[Flow.SuccessorsMax];
        for (var changed = true; changed;)
        {
            changed = false;
            for (var p = all.Length - 1; p >= 0; p--)
            {
                At(all[p]).CopyTo(after);
                Step(all[p], after);
                foreach (var to in next[..Flow.Successors(insns, all[p], next)])
                {
                    changed |= Join(At(to), after);
                }
            }
        }
    }

    /// <summary>The number of 32 bits that a register holds before an instruction.</summary>
    public bool TryNumber(int insnIdx, int regno, out uint value)
    {
        ref readonly var reg = ref _before[(insnIdx * Regs) + regno];
        value = (uint)reg.Value;
        return reg.Kind == ConstantKind.Number && reg.Value == value && regno < (int)BpfReg.R10;
    }

    /// <summary>The map that a register holds before an instruction, by its number among the program's.</summary>
    public bool TryMap(int insnIdx, int regno, out int map)
    {
        ref readonly var reg = ref _before[(insnIdx * Regs) + regno];
        map = reg.Map;
        return reg.Kind == ConstantKind.Map;
    }

    /// <summary>The function whose address a register holds before an instruction.</summary>
    public bool TryFunction(int insnIdx, int regno, out int subprog)
    {
        ref readonly var reg = ref _before[(insnIdx * Regs) + regno];
        subprog = (int)reg.Value;
        return reg.Kind == ConstantKind.Function;
    }

    private Span<Constant> At(int insnIdx) => _before.AsSpan(insnIdx * Regs, Regs);

    // Value and map that a register held before stay beside a constant of another kind, and are compared, as in the
    // kernel: two ways that agree may still count as two.
    private static bool Join(Span<Constant> old, Span<Constant> now)
    {
        var changed = false;
        for (var r = 0; r < Regs; r++)
        {
            ref var into = ref old[r];
            ref readonly var from = ref now[r];
            if (into.Kind == ConstantKind.Unvisited)
            {
                changed |= from.Kind != ConstantKind.Unvisited;
                into = from;
            }
            else if (into.Kind != ConstantKind.Unknown && into != from)
            {
                into.Kind = ConstantKind.Unknown;
                changed = true;
            }
        }

        return changed;
    }

    private void Step(int at, Span<Constant> regs)
    {
        ref readonly var insn = ref _insns[at];
        switch (insn.Class)
        {
            case InsnClass.Alu or InsnClass.Alu64:
                StepAlu(insn, regs);
                break;
            case InsnClass.Ld when (insn.Opcode & BpfOp.ModeMask) is BpfOp.Abs or BpfOp.Ind:
            case InsnClass.Jmp when (insn.Opcode & (BpfOp.OpMask | BpfOp.X)) == BpfOp.Call:
                regs[..6].Fill(Constant.Unknown);
                break;
            case InsnClass.Ld when insn.Opcode == BpfOp.LdImm64:
                StepLdImm(at, insn, ref regs[insn.Dst]);
                break;
            case InsnClass.Ldx:
                var from = regs[insn.Src];
                regs[insn.Dst] = from.Kind == ConstantKind.MapValue
                    && _maps.TryLoad(from.Map, (int)((long)from.Value + insn.Off), insn, out var value)
                    ? Constant.Number(value) : Constant.Unknown;
                break;
            case InsnClass.Stx when insn.LoadedReg >= 0:
                regs[insn.LoadedReg] = Constant.Unknown;
                break;
        }
    }

    private void StepLdImm(int at, in BpfInsn insn, ref Constant dst)
    {
        switch (insn.Src)
        {
            case 0 when !_maybes.Contains(at):
                dst.SetNumber((uint)insn.Imm | ((ulong)(uint)_insns[at + 1].Imm << 32));
                break;
            case BpfOp.PseudoFunc when _subprogs.Find(at + insn.Imm + 1) is >= 0 and var subprog:
                dst.SetNumber((ulong)subprog);
                dst.Kind = ConstantKind.Function;
                break;
            case BpfOp.PseudoMapFd or BpfOp.PseudoMapIdx:
                dst.Kind = ConstantKind.Map;
                dst.Map = _maps.MapAt(at).Map;
                break;
            case BpfOp.PseudoMapValue or BpfOp.PseudoMapIdxValue:
                (dst.Map, var off) = _maps.MapAt(at);
                dst.Kind = ConstantKind.MapValue;
                dst.Value = (uint)off;
                break;
            default:
                dst = Constant.Unknown;
                break;
        }
    }

    private static void StepAlu(in BpfInsn insn, Span<Constant> regs)
    {
        ref var dst = ref regs[insn.Dst];
        ref readonly var src = ref regs[insn.Src];
        switch (insn.Opcode & (BpfOp.OpMask | BpfOp.X))
        {
            case BpfOp.Mov | BpfOp.K:
                dst.SetNumber((ulong)insn.Imm);
                break;
            case BpfOp.Mov | BpfOp.X:
                dst = Extend(src, insn.Off);
                break;
            case BpfOp.Add | BpfOp.K when dst.Kind is ConstantKind.Number or ConstantKind.MapValue:
                dst.Value += (ulong)insn.Imm;
                break;
            case BpfOp.Sub | BpfOp.K when dst.Kind is ConstantKind.Number or ConstantKind.MapValue:
                dst.Value -= (ulong)insn.Imm;
                break;
            case BpfOp.And | BpfOp.K when dst.Kind == ConstantKind.Number || insn.Imm == 0:
                dst.SetNumber(dst.Kind == ConstantKind.Number ? dst.Value & (ulong)insn.Imm : 0);
                break;
            case BpfOp.And | BpfOp.X when dst.IsZero || src.IsZero:
                dst.SetNumber(0);
                break;
            case BpfOp.And | BpfOp.X when dst.Kind == ConstantKind.Number && src.Kind == ConstantKind.Number:
                dst.Value &= src.Value;
                break;
            default:
                dst = Constant.Unknown;
                break;
        }

        if (insn.Class == InsnClass.Alu)
        {
            dst = dst.Kind == ConstantKind.Number ? dst with { Value = (uint)dst.Value } : Constant.Unknown;
        }
    }

    private static Constant Extend(in Constant src, int bits) => bits == 0 ? src
        : src.Kind != ConstantKind.Number ? Constant.Unknown
        : bits switch
        {
            8 => src with { Value = (ulong)(sbyte)src.Value },
            16 => src with { Value = (ulong)(short)src.Value },
            32 => src with { Value = (ulong)(int)src.Value },
            _ => Constant.Unknown,
        };

    private enum ConstantKind : byte
    {
        Unvisited,
        Unknown,
        Number,
        Map,
        MapValue,
        Function,
    }

    private record struct Constant(ConstantKind Kind, int Map, ulong Value)
    {
        public static Constant Unknown => new(ConstantKind.Unknown, 0, 0);

        public readonly bool IsZero => Kind == ConstantKind.Number && Value == 0;

        public static Constant Number(ulong value) => new(ConstantKind.Number, 0, value);

        public void SetNumber(ulong value) => (Kind, Value) = (ConstantKind.Number, value);
    }
}
