using System.Collections.Immutable;
using Kptr.Isa;

namespace Kptr.Execution;

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
    private readonly OpCode _code;
    private readonly int[][] _next;
    private readonly HashSet<int> _callees = [];

    private ProgLayout(OpCode code)
    {
        _code = code;
        _next = [.. Enumerable.Range(0, code.Insns.Length).Select(Successors)];
    }

    internal ImmutableArray<FuncLayout> Funcs { get; private set; } = [];

    /// <summary>Whether the function at a slot is called, or its address taken, within the program.</summary>
    internal bool IsCalled(int entry) => _callees.Contains(entry);

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
        var callees = layout._callees;
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

    /// <summary>Whether the slot is a call of a helper or kfunc.</summary>
    internal static bool IsOuterCall(BpfInsn insn) =>
        insn.Class == InsnClass.Jmp && (insn.Opcode & BpfOp.OpMask) == BpfOp.Call && !insn.IsLocalCall;

    /// <summary>Whether the slot has the run do something with the registers: a call, or a packet load.</summary>
    internal static bool IsOuter(BpfInsn insn) =>
        IsOuterCall(insn) || (insn.Class == InsnClass.Ld && insn.Opcode != BpfOp.LdImm64);

    /// <summary>The slots where control may go from a slot.</summary>
    internal int[] Next(int slot) => _next[slot];

    private int[] Successors(int slot)
    {
        var insn = _code.Insns[slot];
        if (!_code.IsRunnable(slot) || EndsPath(insn))
        {
            return [];
        }

        if (insn.Opcode == BpfOp.LdImm64)
        {
            return Within(slot + 2);
        }

        var isJump = insn.Class is InsnClass.Jmp or InsnClass.Jmp32 && !insn.IsLocalCall && !IsOuterCall(insn);
        if (!isJump)
        {
            return Within(slot + 1);
        }

        var isAlways = (insn.Opcode & BpfOp.OpMask) == BpfOp.Ja;
        return [.. Within(_code.TargetOf(slot) ?? -1), .. isAlways ? [] : Within(slot + 1)];
    }

    private int[] Within(int slot) => (uint)slot < (uint)_code.Insns.Length ? [slot] : [];

    /// <summary>The slot that a call within the program or an address of a function names, if it is one.</summary>
    private int? CalleeOf(int slot)
    {
        var insn = _code.Insns[slot];
        return insn.IsLocalCall ? _code.TargetOf(slot)
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
                if (seen.Add(next))
                {
                    open.Push(next);
                }
            }
        }

        return [.. seen];
    }
}
