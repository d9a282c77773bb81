using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;

namespace Kptr.Analyzers.Flow;

/// <summary>Walks all paths of a graph, or of one of its <c>finally</c> regions, with the states they bring.</summary>
/// <remarks>
/// Blocks are taken in the order of the text, so that what comes together from ahead is there together. Exceptions that
/// calls may throw end a path without a word, but a handler is entered with what is the same all over its <c>try</c>.
/// A <c>finally</c> is walked anew for each path that leaves through it.
/// </remarks>
internal sealed class Explorer
{
    private const int StatesMax = 40;
    private readonly Body _body;
    private readonly Evaluator _evaluator;
    private readonly ControlFlowRegion? _within;
    private readonly SortedDictionary<int, List<PathState>> _pending = [];
    private readonly Dictionary<int, List<PathState>> _seen = [];
    private readonly Dictionary<ControlFlowRegion, PathState> _tries = [];
    private readonly HashSet<ControlFlowRegion> _handlersDue = [];
    private readonly List<PathState> _outcomes = [];

    private Explorer(Body body, Evaluator evaluator, ControlFlowRegion? within)
    {
        _body = body;
        _evaluator = evaluator;
        _within = within;
    }

    internal static void Walk(Body body, PathState entry) =>
        new Explorer(body, new(body), null).Run(body.Graph.Blocks[0].Ordinal, entry);

    private List<PathState> Run(int block, PathState entry)
    {
        Enqueue(block, entry);
        while (_body.StepsLeft >= 0 && (_pending.Count > 0 || EnterHandlers()))
        {
            var (ordinal, arrivals) = (_pending.First().Key, _pending.First().Value);
            _pending.Remove(ordinal);
            Meet(arrivals);
            foreach (var state in News(ordinal, arrivals))
            {
                _body.StepsLeft--;
                Visit(_body.Graph.Blocks[ordinal], state);
            }
        }

        return _outcomes;
    }

    private void Enqueue(int block, PathState state)
    {
        if (!_pending.TryGetValue(block, out var states))
        {
            _pending[block] = states = [];
        }

        states.Add(state);
    }

    /// <summary>Marks what some of the paths that come together have spent and others own.</summary>
    private static void Meet(List<PathState> arrivals)
    {
        if (arrivals.Count < 2)
        {
            return;
        }

        foreach (var id in arrivals.SelectMany(a => a.Items.Keys).Distinct().ToList())
        {
            var items = arrivals.Where(a => a.Items.ContainsKey(id)).ToList();
            if (!items.Exists(a => a.Items[id].Status == Status.Owned)
                || !items.Exists(a => a.Items[id].Status == Status.Spent))
            {
                continue;
            }

            foreach (var state in items.Where(a => a.Items[id] is
                { IsMixed: false, Status: Status.Owned or Status.Spent }))
            {
                state.Items[id] = state.Items[id] with { IsMixed = true };
            }
        }
    }

    /// <summary>The arrivals that bring something that the block has not seen.</summary>
    private List<PathState> News(int block, List<PathState> arrivals)
    {
        if (!_seen.TryGetValue(block, out var seen))
        {
            _seen[block] = seen = [];
        }

        var news = new List<PathState>();
        foreach (var arrival in arrivals)
        {
            if (seen.Find(s => s.SameAs(arrival)) is not { } same)
            {
                seen.Add(arrival);
                news.Add(arrival);
            }
            else if (same.ForgetUnless(arrival) && !news.Contains(same))
            {
                news.Add(same);
            }
        }

        if (seen.Count > StatesMax)
        {
            _body.StepsLeft = -1;
        }

        // What is seen stays as it came.
        return [.. news.Select(n => n.Clone())];
    }

    private void Visit(BasicBlock block, PathState state)
    {
        NoteTries(block, state);
        foreach (var operation in block.Operations)
        {
            _evaluator.Evaluate(operation, state);
            if (state.IsDead)
            {
                return;
            }

            NoteTries(block, state);
        }

        var line = LineOf(block);
        if (block.ConditionKind != ControlFlowConditionKind.None && block.BranchValue is { } condition)
        {
            _evaluator.Evaluate(condition, state);
            Branch(block, condition, state, line);
            return;
        }

        if (block.BranchValue is { } value)
        {
            _evaluator.Return(value, block.FallThroughSuccessor, state);
        }

        if (!state.IsDead)
        {
            Follow(block.FallThroughSuccessor, state, line);
        }
    }

    private void Branch(BasicBlock block, IOperation condition, PathState state, int line)
    {
        if (state.IsDead)
        {
            return;
        }

        var whenTaken = block.ConditionKind == ControlFlowConditionKind.WhenTrue;
        var (taken, passed) = (state.Clone(), state);
        var canTake = Conditions.Assume(_body, condition, whenTaken, taken);
        var canPass = Conditions.Assume(_body, condition, !whenTaken, passed);
        if (canTake && canPass)
        {
            var asked = Conditions.ResourceOf(_body, condition, state);
            Conditions.Guard(taken, asked);
            Conditions.Guard(passed, asked);
        }

        if (canTake)
        {
            Follow(block.ConditionalSuccessor, taken, line);
        }

        if (canPass)
        {
            Follow(block.FallThroughSuccessor, passed, line);
        }
    }

    private void Follow(ControlFlowBranch? branch, PathState state, int line)
    {
        if (branch is null)
        {
            return;
        }

        if (branch.Semantics == ControlFlowBranchSemantics.StructuredExceptionHandling)
        {
            _outcomes.Add(state);
            return;
        }

        if (branch.Semantics is not (ControlFlowBranchSemantics.Regular or ControlFlowBranchSemantics.Return)
            || branch.Destination is not { } destination)
        {
            return;
        }

        List<PathState> states = [state];
        foreach (var region in branch.FinallyRegions)
        {
            states = [.. states.SelectMany(
                s => new Explorer(_body, _evaluator, region).Run(region.FirstBlockOrdinal, s))];
        }

        foreach (var left in states)
        {
            if (destination.Kind == BasicBlockKind.Exit)
            {
                _evaluator.Exit(left, line);
                continue;
            }

            foreach (var region in branch.LeavingRegions)
            {
                left.Leave(region);
            }

            Enqueue(destination.Ordinal, left);
        }
    }

    private void NoteTries(BasicBlock block, PathState state)
    {
        var region = block.EnclosingRegion;
        for (; region is not null && region != _within; region = region.EnclosingRegion)
        {
            if (region is { Kind: ControlFlowRegionKind.Try, EnclosingRegion: { } whole }
                && whole.Kind == ControlFlowRegionKind.TryAndCatch)
            {
                if (!_tries.TryGetValue(whole, out var weakest))
                {
                    _tries[whole] = state.Clone();
                    _handlersDue.Add(whole);
                }
                else if (weakest.Weaken(state))
                {
                    _handlersDue.Add(whole);
                }
            }
        }
    }

    private bool EnterHandlers()
    {
        foreach (var whole in _handlersDue)
        {
            foreach (var handler in whole.NestedRegions.Where(r => r.Kind != ControlFlowRegionKind.Try))
            {
                Enqueue(handler.FirstBlockOrdinal, _tries[whole].Clone());
            }
        }

        _handlersDue.Clear();
        return _pending.Count > 0;
    }

    private int LineOf(BasicBlock block) =>
        block.FallThroughSuccessor?.Semantics == ControlFlowBranchSemantics.Return && block.BranchValue is { } value
            ? Lines.Of(value.Syntax)
            : Lines.EndOf(_body.Syntax);
}
