using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Analyzers.CodeFixes;

/// <summary>Adds the flag that a kfunc's signature asks for.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp), Shared]
public sealed class FlagFix : CodeFixProvider
{
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["KPTR007"];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        foreach (var diagnostic in context.Diagnostics)
        {
            if (!diagnostic.Properties.TryGetValue("Flag", out var flag) || diagnostic.AdditionalLocations.Count == 0
                || root?.FindNode(diagnostic.AdditionalLocations[0].SourceSpan) is not AttributeSyntax attribute)
            {
                continue;
            }

            context.Offer(
                $"Add the flag {flag}", [diagnostic], root, attribute, () => WithFlag(attribute, flag!));
        }
    }

    private static AttributeSyntax WithFlag(AttributeSyntax attribute, string flag)
    {
        var arguments = attribute.ArgumentList!.Arguments;
        var added = SyntaxFactory.ParseExpression($"KfuncFlags.{flag}");
        if (arguments.Count > 1 && arguments[1] is { NameEquals: null } given)
        {
            var both = given.Expression.ToString() == "KfuncFlags.None" ? added : SyntaxFactory.BinaryExpression(
                SyntaxKind.BitwiseOrExpression, given.Expression.WithTrailingTrivia(SyntaxFactory.Space),
                SyntaxFactory.Token(SyntaxKind.BarToken).WithTrailingTrivia(SyntaxFactory.Space), added);
            arguments = arguments.Replace(given, given.WithExpression(both));
        }
        else
        {
            arguments = arguments.Insert(
                1, SyntaxFactory.AttributeArgument(added).WithLeadingTrivia(SyntaxFactory.Space));
        }

        return attribute.WithArgumentList(attribute.ArgumentList.WithArguments(arguments));
    }
}
