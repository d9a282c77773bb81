using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;

namespace Kptr.Analyzers.Flow;

/// <summary>What is known at one place of one path.</summary>
/// <remarks>
/// Variables hold a resource's number, <see cref="Null"/>, or are not there: then nothing is known of what they hold.
/// Two paths with the same resources go on as one with the facts that both know, so there are no more paths than
/// ways in which resources can differ.
/// </remarks>
internal sealed class PathState
{
    internal const int Unknown = -2;
    internal const int Null = -1;

    private readonly Dictionary<ISymbol, int> _locals;
    private readonly Dictionary<CaptureId, int> _captures;
    private readonly Dictionary<CaptureId, ISymbol> _captured;
    private Dictionary<string, Fact> _facts;

    internal PathState()
    {
        Items = [];
        _locals = new(SymbolEqualityComparer.Default);
        (_captures, _captured, _facts) = ([], [], []);
    }

    private PathState(PathState other)
    {
        Items = new(other.Items);
        _locals = new(other._locals, SymbolEqualityComparer.Default);
        _captures = new(other._captures);
        _captured = new(other._captured);
        _facts = new(other._facts);
        HadReader = other.HadReader;
        IsDead = other.IsDead;
    }

    internal Dictionary<int, Item> Items { get; }

    /// <summary>Whether a reader has begun and ended on this path.</summary>
    internal bool HadReader { get; set; }

    /// <summary>Whether a call did not return.</summary>
    internal bool IsDead { get; set; }

    internal PathState Clone() => new(this);

    internal int this[ISymbol local] =>
        _locals.TryGetValue(local, out var value) ? value : Unknown;

    internal int this[CaptureId capture] => _captures.TryGetValue(capture, out var value) ? value : Unknown;

    internal ISymbol? VariableOf(CaptureId capture) =>
        _captured.TryGetValue(capture, out var symbol) ? symbol : null;

    internal void Set(ISymbol local, int value)
    {
        Forget(local);
        if (value == Unknown)
        {
            _locals.Remove(local);
        }
        else
        {
            _locals[local] = value;
        }
    }

    internal void Set(CaptureId capture, int value, ISymbol? variable)
    {
        _captures.Remove(capture);
        _captured.Remove(capture);
        if (value != Unknown)
        {
            _captures[capture] = value;
        }

        if (variable is not null)
        {
            _captured[capture] = variable;
        }
    }

    internal bool IsHeld(int id) => _locals.ContainsValue(id) || _captures.ContainsValue(id);

    /// <summary>Whoever holds <paramref name="id"/> holds <paramref name="other"/> instead.</summary>
    internal void Rename(int id, int other)
    {
        foreach (var local in _locals.Where(l => l.Value == id).Select(l => l.Key).ToList())
        {
            _locals[local] = other;
        }

        foreach (var capture in _captures.Where(c => c.Value == id).Select(c => c.Key).ToList())
        {
            _captures[capture] = other;
        }
    }

    /// <summary>Forgets what goes out of scope, and what nobody holds and nobody owes.</summary>
    internal void Leave(ControlFlowRegion region)
    {
        foreach (var local in region.Locals)
        {
            Set(local, Unknown);
        }

        foreach (var capture in region.CaptureIds)
        {
            Set(capture, Unknown, null);
        }

        foreach (var id in Items.Where(i => i.Value.Status is not (Status.Owned or Status.Escaped))
            .Select(i => i.Key).ToList())
        {
            if (!IsHeld(id))
            {
                Items.Remove(id);
            }
        }
    }

    /// <summary>Notes the outcome of a condition; false where the path has seen the other one.</summary>
    internal bool Assume(string condition, bool outcome, ImmutableArray<ISymbol> of)
    {
        if (_facts.TryGetValue(condition, out var known))
        {
            return known.Outcome == outcome;
        }

        _facts[condition] = new(outcome, of);
        return true;
    }

    internal bool SameAs(PathState other) =>
        HadReader == other.HadReader && Same(_locals, other._locals) && Same(_captures, other._captures)
        && Items.Count == other.Items.Count
        && Items.All(i => other.Items.TryGetValue(i.Key, out var item) && item.SameAs(i.Value));

    /// <summary>Keeps the facts that the other path knows too; false where it knows all.</summary>
    internal bool ForgetUnless(PathState other)
    {
        var kept = _facts.Where(f => other._facts.TryGetValue(f.Key, out var fact) && fact.Outcome == f.Value.Outcome)
            .ToDictionary(f => f.Key, f => f.Value);
        var isLess = kept.Count < _facts.Count;
        _facts = kept;
        return isLess;
    }

    /// <summary>Keeps what holds on another path as well, which may leave off at any point.</summary>
    internal bool Weaken(PathState other)
    {
        var isLess = ForgetUnless(other);
        foreach (var local in _locals.Where(l => other[l.Key] != l.Value).Select(l => l.Key).ToList())
        {
            isLess |= _locals.Remove(local);
        }

        foreach (var id in Items.Keys.Concat(other.Items.Keys).Distinct().ToList())
        {
            var isKnown = Items.TryGetValue(id, out var mine);
            if (!(isKnown && mine.Status == Status.Escaped)
                && !(isKnown && other.Items.TryGetValue(id, out var theirs) && mine.SameAs(theirs)))
            {
                Items[id] = new(Status.Escaped);
                isLess = true;
            }
        }

        isLess |= HadReader && !other.HadReader;
        HadReader &= other.HadReader;
        return isLess;
    }

    private void Forget(ISymbol local)
    {
        foreach (var fact in _facts.Where(f => f.Value.Of.Contains(local, SymbolEqualityComparer.Default))
            .Select(f => f.Key).ToList())
        {
            _facts.Remove(fact);
        }
    }

    private static bool Same<TKey>(Dictionary<TKey, int> left, Dictionary<TKey, int> right)
        where TKey : notnull => left.Count == right.Count
        && left.All(l => right.TryGetValue(l.Key, out var value) && value == l.Value);

    private sealed record Fact(bool Outcome, ImmutableArray<ISymbol> Of);
}
