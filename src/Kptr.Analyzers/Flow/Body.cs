using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;

namespace Kptr.Analyzers.Flow;

/// <summary>One function's body while it is looked at: its resources and what is found.</summary>
internal sealed class Body
{
    private readonly Dictionary<(object Origin, bool IsEarlier), Resource> _resources = [];
    private readonly List<Resource> _byId = [];
    private readonly Dictionary<int, (int Line, bool IsCertain)> _leaks = [];
    private readonly Dictionary<(string Id, Location At), Diagnostic> _found = [];

    internal Body(KnownTypes known, ControlFlowGraph graph, IMethodSymbol? function, SyntaxNode syntax)
    {
        Known = known;
        Graph = graph;
        Function = function;
        Syntax = syntax;
    }

    internal KnownTypes Known { get; }

    internal ControlFlowGraph Graph { get; }

    /// <summary>Null for an initializer.</summary>
    internal IMethodSymbol? Function { get; }

    internal SyntaxNode Syntax { get; }

    internal HashSet<ISymbol> Shared { get; init; } = new(SymbolEqualityComparer.Default);

    /// <summary>Whether no caller can have opened a reader.</summary>
    internal bool IsOutermost { get; init; }

    /// <summary>Whether the caller is a reader: looks are good everywhere.</summary>
    internal bool IsInsideReader { get; init; }

    /// <summary>Resources that a path spent after it met one that had it otherwise.</summary>
    internal HashSet<int> SpentAfterMeeting { get; } = [];

    /// <summary>Steps that may still be taken; below zero nothing is said of the body.</summary>
    internal int StepsLeft { get; set; } = 20_000;

    internal Resource this[int id] => _byId[id];

    /// <summary>What an operation or a parameter makes; each can have an earlier one that is still held.</summary>
    internal Resource Of(
        object origin, ResourceKind kind, SyntaxNode syntax, string what, bool isEarlier = false)
    {
        if (!_resources.TryGetValue((origin, isEarlier), out var resource))
        {
            resource = new(_byId.Count, kind, syntax, what);
            _resources[(origin, isEarlier)] = resource;
            _byId.Add(resource);
        }

        return resource;
    }

    internal Resource? Made(object origin) =>
        _resources.TryGetValue((origin, false), out var resource) ? resource : null;

    /// <summary>The earlier one of the same origin.</summary>
    internal Resource Earlier(Resource resource)
    {
        var origin = _resources.First(r => r.Value == resource).Key.Origin;
        var earlier = Of(origin, resource.Kind, resource.Syntax, resource.What, isEarlier: true);
        earlier.Name ??= resource.Name;
        earlier.IsFromExchange = resource.IsFromExchange;
        return earlier;
    }

    /// <summary>Notes that a path ends, or overwrites it, while it is owned.</summary>
    internal void Lose(int id, Item item, int line)
    {
        var isCertain = !item.IsMixed || !item.IsGuarded;
        if (!_leaks.TryGetValue(id, out var known) || (isCertain && !known.IsCertain))
        {
            _leaks[id] = (line, isCertain);
        }
    }

    internal void Report(DiagnosticDescriptor rule, SyntaxNode at, params object[] arguments)
    {
        var location = at.GetLocation();
        if (!_found.ContainsKey((rule.Id, location)))
        {
            _found[(rule.Id, location)] = Diagnostic.Create(rule, location, arguments);
        }
    }

    /// <summary>All that was found; nothing where the body was too much.</summary>
    internal IEnumerable<Diagnostic> Findings()
    {
        if (StepsLeft < 0)
        {
            return [];
        }

        foreach (var leak in _leaks)
        {
            if (leak.Value.IsCertain || !SpentAfterMeeting.Contains(leak.Key))
            {
                ReportLeak(this[leak.Key], leak.Value.Line);
            }
        }

        return _found.Values;
    }

    private void ReportLeak(Resource resource, int line)
    {
        switch (resource.Kind)
        {
            case ResourceKind.Reference when resource.IsFromExchange && resource.Name is null:
                Report(Rules.ExchangeDropped, resource.Syntax);
                break;
            case ResourceKind.Reference:
                Report(Rules.NotReleased, resource.Syntax, resource.Shown, line);
                break;
            case ResourceKind.Owner:
                Report(Rules.NotDisposed, resource.Syntax, resource.What, line);
                break;
            case ResourceKind.Reader:
                Report(Rules.ReaderLeftOpen, resource.Syntax, resource.What, resource.Line, "when the method ends");
                break;
        }
    }
}
