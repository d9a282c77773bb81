namespace Kptr.Execution;

/// <summary>Backward jumps of one function that need no fuel, since its loop ends by itself.</summary>
/// <remarks>
/// Exploring a verified program ends, and an unfinished state stands for a later one only at
/// <see cref="NeedlessChecks.RoundEnds"/>. So a stretch of a run that passes none of these slots is a path that was
/// explored, a million instructions at most. A backward jump is free if its loop, all that reaches it without
/// passing the jump's target, has no such slot, nor a call of a function that may. Every loop that has one pays: on
/// the way round from that slot to itself some jump goes backward, and that slot reaches the jump without passing its
/// target. The function's own <c>may_goto</c> bounds what it falls through by its count, eight million times a call;
/// taken, it leads on as any jump does.
/// </remarks>
internal sealed class FreeLoops
{
    /// <summary>What a round that pays pays for the free loops in it.</summary>
    private const int FreeLoopCost = 1000;

    private readonly HashSet<int> _free = [];

    /// <summary>Settles one function.</summary>
    internal FreeLoops(FuncLayout func, ProgLayout layout, OpCode code, NeedlessChecks needless)
    {
        var before = Predecessors(func, layout);
        foreach (var slot in func.Slots)
        {
            if (code.TargetOf(slot) is { } target && target <= slot && layout.Next(slot).Contains(target)
                && !Body(slot, target, before).Any(s => EndsRounds(s, code, needless)))
            {
                _free.Add(slot);
            }
        }
    }

    /// <summary>Whether the jump at a slot uses no fuel.</summary>
    internal bool IsFree(int slot) => _free.Contains(slot);

    /// <summary>What each jump that pays pays besides.</summary>
    internal int ExtraCost => _free.Count > 0 ? FreeLoopCost : 0;

    private static bool EndsRounds(int slot, OpCode code, NeedlessChecks needless) =>
        code.Insns[slot] is var insn
        && ((needless.IsRoundEnd(slot) && !insn.IsMayGoto) || (insn.IsLocalCall && needless.HasRoundEnds));

    /// <summary>The loop of a backward jump: its target, and what reaches the jump without passing that.</summary>
    private static HashSet<int> Body(int slot, int target, Dictionary<int, List<int>> before)
    {
        var body = new HashSet<int> { target, slot };
        var open = new Stack<int>(slot == target ? [] : [slot]);
        while (open.TryPop(out var at))
        {
            foreach (var earlier in before.GetValueOrDefault(at, []))
            {
                if (body.Add(earlier))
                {
                    open.Push(earlier);
                }
            }
        }

        return body;
    }

    private static Dictionary<int, List<int>> Predecessors(FuncLayout func, ProgLayout layout)
    {
        var before = new Dictionary<int, List<int>>();
        foreach (var slot in func.Slots)
        {
            foreach (var next in layout.Next(slot))
            {
                if (!before.TryGetValue(next, out var known))
                {
                    before[next] = known = [];
                }

                known.Add(slot);
            }
        }

        return before;
    }
}
