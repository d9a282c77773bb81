using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Analyzers.CodeFixes;

/// <summary>Releases what <c>Exchange</c> took out of a slot, where nobody looks at it.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp), Shared]
public sealed class ReleaseFix : CodeFixProvider
{
    private const string Title = "Release what was in the slot";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["KPTR003"];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span, getInnermostNodeForTie: true) is InvocationExpressionSyntax exchange
            && Dropped(exchange) is { } dropped)
        {
            var released = SyntaxFactory.ConditionalAccessExpression(
                    exchange.WithoutTrivia(),
                    SyntaxFactory.InvocationExpression(
                        SyntaxFactory.MemberBindingExpression(SyntaxFactory.IdentifierName("Release"))))
                .WithTriviaFrom(dropped);
            context.Offer(Title, context.Diagnostics, root, dropped, () => released);
        }
    }

    /// <summary>The whole expression that drops it; null where somebody looks at it.</summary>
    private static ExpressionSyntax? Dropped(ExpressionSyntax exchange)
    {
        var whole = exchange.Parent is AssignmentExpressionSyntax
        {
            Left: IdentifierNameSyntax { Identifier.Text: "_" },
        } discard ? discard : exchange;
        return whole.Parent is ExpressionStatementSyntax or ArrowExpressionClauseSyntax or LambdaExpressionSyntax
            ? whole : null;
    }
}
