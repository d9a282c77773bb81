using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Analyzers.CodeFixes;

/// <summary>Puts <c>using</c> before a variable that is only looked at, and never given back or on.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp), Shared]
public sealed class UsingFix : CodeFixProvider
{
    private const string Title = "Give it back at the end of the block: using";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["KPTR001", "KPTR010"];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var declaration = root?.FindNode(context.Span, getInnermostNodeForTie: true)
            .FirstAncestorOrSelf<LocalDeclarationStatementSyntax>();
        if (declaration is { UsingKeyword.RawKind: 0, Declaration.Variables: { Count: 1 } variables }
            && variables[0].Initializer?.Value is { } value && Made(value).Span == context.Span
            && declaration.Parent is BlockSyntax block && IsOnlyLookedAt(block, variables[0].Identifier.ValueText))
        {
            var used = declaration.WithoutLeadingTrivia()
                .WithUsingKeyword(SyntaxFactory.Token(SyntaxKind.UsingKeyword).WithTrailingTrivia(SyntaxFactory.Space))
                .WithLeadingTrivia(declaration.GetLeadingTrivia());
            context.Offer(Title, context.Diagnostics, root!, declaration, () => used);
        }
    }

    /// <summary>The expression that makes it, below <c>!</c>.</summary>
    private static ExpressionSyntax Made(ExpressionSyntax value)
    {
        while (value is PostfixUnaryExpressionSyntax postfix
            && postfix.IsKind(SyntaxKind.SuppressNullableWarningExpression))
        {
            value = postfix.Operand;
        }

        return value is MemberAccessExpressionSyntax { Name.Identifier.Text: "Value" } unwrapped
            ? Made(unwrapped.Expression) : value;
    }

    private static bool IsOnlyLookedAt(BlockSyntax block, string name) => block.DescendantNodes()
        .OfType<IdentifierNameSyntax>().Where(n => n.Identifier.ValueText == name)
        .All(n => n.Parent switch
        {
            MemberAccessExpressionSyntax access => access.Expression != n || !IsEnd(access.Name),
            ConditionalAccessExpressionSyntax access => access.Expression == n
                && !access.WhenNotNull.DescendantNodesAndSelf().OfType<MemberBindingExpressionSyntax>()
                    .Any(b => IsEnd(b.Name)),
            IsPatternExpressionSyntax
            {
                Pattern: ConstantPatternSyntax or UnaryPatternSyntax { Pattern: ConstantPatternSyntax },
            } => true,
            _ => false,
        });

    // What follows Value may be anything, a release too.
    private static bool IsEnd(SimpleNameSyntax member) =>
        member.Identifier.ValueText is "Release" or "Dispose" || (member.Identifier.ValueText == "Value"
            && member.Parent?.Parent is not MemberAccessExpressionSyntax { Name.Identifier.Text: "Target" });
}
