using System.Collections.Immutable;
using Kptr.Isa;

namespace Kptr.Execution;

/// <summary>One function of a program: where it starts, and the slots that control reaches from there.</summary>
/// <param name="Entry">The slot of its first instruction.</param>
/// <param name="Slots">All its slots, ascending; of two-slot loads the first half.</param>
internal sealed record FuncLayout(int Entry, ImmutableArray<int> Slots);

/// <summary>
/// A program as functions: one for its start, and one for each slot that is called or whose address is taken.
/// </summary>
/// <remarks>
/// Functions may share slots. A program whose functions pass each other more than the arguments and a result has no
/// layout: compiled functions keep their registers to themselves. The verifier refuses such programs; raw
/// instructions may be so.
/// </remarks>
internal sealed class ProgLayout
{
    private const byte CallX = (byte)InsnClass.Jmp | BpfOp.Call | BpfOp.X;
    private readonly OpCode _code;

    private ProgLayout(OpCode code) => _code = code;

    internal ImmutableArray<FuncLayout> Funcs { get; private set; } = [];

    /// <summary>Finds the functions of a program; null where they cannot be told apart.</summary>
    /// <param name="code">The program.</param>
    /// <param name="extraEntry">A slot that is entered from outside besides the first one, or -1.</param>
    /// <param name="isRaw">Whether no verifier has seen it.</param>
    internal static ProgLayout? Find(OpCode code, int extraEntry, bool isRaw)
    {
        var layout = new ProgLayout(code);
        if (code.Insns.IsEmpty)
        {
            return null;
        }

        var entries = new SortedSet<int> { 0 };
        var callees = new HashSet<int>();
        if (extraEntry >= 0)
        {
            callees.Add(extraEntry);
        }

        for (var i = 0; i < code.Insns.Length; i++)
        {
            if (code.IsRunnable(i) && layout.CalleeOf(i) is { } callee)
            {
                callees.Add(callee);
            }
        }

        entries.UnionWith(callees);
        layout.Funcs = [.. entries.Select(e => new FuncLayout(e, layout.Reach(e)))];
        var slots = layout.Funcs.Sum(f => f.Slots.Length);
        return slots <= 2 * code.Insns.Length && new Liveness(layout, code, isRaw).KeepsToArguments(callees)
            ? layout
            : null;
    }

    /// <summary>Whether control leaves the function's own slots here for good.</summary>
    internal static bool EndsPath(BpfInsn insn) =>
        insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Exit;

    /// <summary>Whether the slot is a call within the program.</summary>
    internal static bool IsLocalCall(BpfInsn insn) =>
        insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call && insn.Opcode != CallX
        && insn.Src == BpfOp.PseudoCall;

    /// <summary>Whether the slot is a call of a helper or kfunc.</summary>
    internal static bool IsOuterCall(BpfInsn insn) =>
        insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call && !IsLocalCall(insn);

    /// <summary>Where control may go from a slot; -1 for out of the program.</summary>
    internal IEnumerable<int> Next(int slot)
    {
        var insn = _code.Insns[slot];
        if (!_code.IsRunnable(slot) || EndsPath(insn))
        {
            yield break;
        }

        if (insn.Opcode == BpfOp.LdImm64)
        {
            yield return Within(slot + 2);
            yield break;
        }

        var isJump = insn.Class is InsnClass.Jmp or InsnClass.Jmp32 && !IsLocalCall(insn) && !IsOuterCall(insn);
        if (isJump)
        {
            yield return _code.TargetOf(slot) ?? -1;
        }

        if (!isJump || (insn.Opcode & BpfOp.OpMask) != BpfOp.Ja)
        {
            yield return Within(slot + 1);
        }
    }

    private int Within(int slot) => slot < _code.Insns.Length ? slot : -1;

    /// <summary>The slot that a call within the program or an address of a function names, if it is one.</summary>
    private int? CalleeOf(int slot)
    {
        var insn = _code.Insns[slot];
        return IsLocalCall(insn) ? _code.TargetOf(slot)
            : insn is { Opcode: BpfOp.LdImm64, Src: BpfOp.PseudoFunc } && (uint)(slot + 1 + insn.Imm) is var func
                && func < (uint)_code.Insns.Length ? (int)func : null;
    }

    private ImmutableArray<int> Reach(int entry)
    {
        var seen = new SortedSet<int> { entry };
        var open = new Stack<int>([entry]);
        while (open.TryPop(out var slot))
        {
            foreach (var next in Next(slot))
            {
                if (next >= 0 && seen.Add(next))
                {
                    open.Push(next);
                }
            }
        }

        return [.. seen];
    }
}
