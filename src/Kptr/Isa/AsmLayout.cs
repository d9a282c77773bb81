using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Kptr.Isa;

/// <summary>Puts assembled items in order and, at the end, their labels into offset and immediate fields.</summary>
internal sealed class AsmLayout
{
    private readonly ImmutableArray<BpfInsn>.Builder _insns = ImmutableArray.CreateBuilder<BpfInsn>();
    private readonly ImmutableDictionary<string, int>.Builder _labels =
        ImmutableDictionary.CreateBuilder<string, int>();
    private readonly List<(int InsnIdx, string Name, int Addend)> _uses = [];

    internal int Count => _insns.Count;

    /// <returns>False where the label is there already.</returns>
    internal bool TryAdd(AsmItem item)
    {
        if (item.DefinedLabel is { } label)
        {
            return _labels.TryAdd(label, _insns.Count);
        }

        if (item.Target is { } target)
        {
            _uses.Add((_insns.Count, target, item.Addend));
        }

        _insns.Add(item.Insn);
        return true;
    }

    /// <summary>Resolves labels; calls and addresses of other names become symbols.</summary>
    /// <param name="program">The program.</param>
    /// <param name="fault">What is wrong, in one sentence.</param>
    /// <param name="faultInsnIdx">Where.</param>
    internal bool TryFinish(
        [NotNullWhen(true)] out AsmProgram? program, [NotNullWhen(false)] out string? fault, out int faultInsnIdx)
    {
        var symbols = ImmutableArray.CreateBuilder<AsmSymbol>();
        program = null;
        foreach (var (insnIdx, name, addend) in _uses)
        {
            faultInsnIdx = insnIdx;
            if (_labels.TryGetValue(name, out var target))
            {
                fault = Patch(insnIdx, target - insnIdx - 1, name);
                if (fault is not null)
                {
                    return false;
                }
            }
            else if (KindOf(_insns[insnIdx]) is { } kind)
            {
                symbols.Add(new AsmSymbol(insnIdx, kind, name, addend));
            }
            else
            {
                fault = $"label {name} is nowhere";
                return false;
            }
        }

        faultInsnIdx = -1;
        fault = null;
        program = new AsmProgram(_insns.ToImmutable(), symbols.ToImmutable(), _labels.ToImmutable());
        return true;
    }

    private static AsmSymbolKind? KindOf(BpfInsn insn) =>
        insn.Opcode == BpfOp.LdImm64 ? AsmSymbolKind.Address
        : insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call) ? AsmSymbolKind.Call
        : null;

    private string? Patch(int insnIdx, int delta, string name)
    {
        var insn = _insns[insnIdx];
        if (insn.Opcode == BpfOp.LdImm64)
        {
            _insns[insnIdx] = new BpfInsn(insn.Opcode, insn.Dst, BpfOp.PseudoFunc, 0, delta);
        }
        else if (insn.Opcode == ((byte)InsnClass.Jmp | BpfOp.Call))
        {
            _insns[insnIdx] = new BpfInsn(insn.Opcode, 0, BpfOp.PseudoCall, 0, delta);
        }
        else if (insn.Opcode == ((byte)InsnClass.Jmp32 | BpfOp.Ja))
        {
            _insns[insnIdx] = new BpfInsn(insn.Opcode, 0, 0, 0, delta);
        }
        else if (delta is < short.MinValue or > short.MaxValue)
        {
            return $"label {name} is {delta} slots away, too far for this jump";
        }
        else
        {
            _insns[insnIdx] = new BpfInsn(insn.Opcode, insn.Dst, insn.Src, (short)delta, insn.Imm);
        }

        return null;
    }
}
