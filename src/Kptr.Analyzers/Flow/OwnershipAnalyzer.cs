using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

/// <summary>
/// Follows references, readers and what they guard, kernels, objects and links on all paths of a body.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class OwnershipAnalyzer : DiagnosticAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
    [
        Rules.NotReleased, Rules.UsedAfterMove, Rules.ExchangeDropped, Rules.Copied, Rules.OutsideReader,
        Rules.ReaderLeftOpen, Rules.NotDisposed,
    ];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is { } known)
            {
                start.RegisterOperationBlockAction(c => Analyze(c, known));
            }
        });
    }

    private static void Analyze(OperationBlockAnalysisContext context, KnownTypes known)
    {
        var roots = new HashSet<IOperation>();
        foreach (var block in context.OperationBlocks)
        {
            if (!HasGraph(block) || !roots.Add(RootOf(block)))
            {
                continue;
            }

            var facts = BodyFacts.Of(known, context.OwningSymbol, RootOf(block));
            if (facts.IsAnythingRelevant)
            {
                var graph = context.GetControlFlowGraph(block);
                Analyze(context, known, facts, graph, context.OwningSymbol, RootOf(block).Syntax);
            }
        }
    }

    private static bool HasGraph(IOperation block) => block.Kind is OperationKind.Block or OperationKind.MethodBody
        or OperationKind.ConstructorBody or OperationKind.FieldInitializer or OperationKind.PropertyInitializer;

    private static IOperation RootOf(IOperation block)
    {
        while (block.Parent is { } parent)
        {
            block = parent;
        }

        return block;
    }

    private static void Analyze(
        OperationBlockAnalysisContext context, KnownTypes known, BodyFacts facts, ControlFlowGraph graph,
        ISymbol function, SyntaxNode syntax)
    {
        context.CancellationToken.ThrowIfCancellationRequested();
        if (facts.IsRelevant(function))
        {
            var isOwner = SymbolEqualityComparer.Default.Equals(function, context.OwningSymbol);
            var body = new Body(known, graph, function as IMethodSymbol, syntax)
            {
                Shared = facts.Shared,
                IsInsideReader = Callers.AreReaders(known, function),
                IsOutermost = isOwner && Callers.AreNone(context.Compilation, facts, function),
            };
            Explorer.Walk(body, Entry(body));
            foreach (var finding in body.Findings())
            {
                context.ReportDiagnostic(finding);
            }
        }

        foreach (var (nested, inner, at) in Nested(graph, context.CancellationToken))
        {
            Analyze(context, known, facts, inner, nested, at);
        }
    }

    private static IEnumerable<(IMethodSymbol Function, ControlFlowGraph Graph, SyntaxNode At)> Nested(
        ControlFlowGraph graph, CancellationToken cancel)
    {
        foreach (var local in graph.LocalFunctions)
        {
            if (local.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax(cancel) is { } at)
            {
                yield return (local, graph.GetLocalFunctionControlFlowGraph(local, cancel), at);
            }
        }

        foreach (var operation in graph.Blocks.SelectMany(b => b.BranchValue is { } value
            ? b.Operations.Add(value) : b.Operations))
        {
            foreach (var lambda in operation.DescendantsAndSelf().OfType<IFlowAnonymousFunctionOperation>())
            {
                yield return (
                    lambda.Symbol, graph.GetAnonymousFunctionControlFlowGraph(lambda, cancel), lambda.Syntax);
            }
        }
    }

    /// <summary>What the parameters bring.</summary>
    private static PathState Entry(Body body)
    {
        var state = new PathState();
        foreach (var parameter in body.Function?.Parameters ?? [])
        {
            if (parameter.RefKind != RefKind.None || body.Shared.Contains(parameter)
                || !body.Known.IsReference(parameter.Type)
                || parameter.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() is not { } syntax)
            {
                continue;
            }

            var resource = body.Of(parameter, ResourceKind.Reference, syntax, "handed over");
            resource.Name = parameter;
            var isTaken = MethodFacts.Of(body.Known, body.Function!).Takes.Contains(parameter.Ordinal);
            state.Items[resource.Id] = new(isTaken ? Status.Owned : Status.Borrowed)
            {
                IsNonNull = parameter.Type.OriginalDefinition.SpecialType != SpecialType.System_Nullable_T,
            };
            state.Set(parameter, resource.Id);
        }

        return state;
    }
}
