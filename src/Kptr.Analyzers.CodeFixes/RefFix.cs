using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Analyzers.CodeFixes;

/// <summary>Makes a local that is a copied slot, or a copied value with one, a reference to it.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp), Shared]
public sealed class RefFix : CodeFixProvider
{
    private const string Title = "Refer to it: ref";

    public override ImmutableArray<string> FixableDiagnosticIds { get; } = ["KPTR004"];

    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        if (root?.FindNode(context.Span, getInnermostNodeForTie: true) is ExpressionSyntax
            {
                Parent: EqualsValueClauseSyntax
                {
                    Parent: VariableDeclaratorSyntax
                    {
                        Parent: VariableDeclarationSyntax { Type: not RefTypeSyntax, Variables.Count: 1 } declaration,
                    } declarator,
                },
            } place
            && declaration.Parent is LocalDeclarationStatementSyntax { Parent: BlockSyntax block }
            && !IsShared(block, declarator.Identifier.ValueText))
        {
            context.Offer(
                Title, context.Diagnostics, root, declaration, () => Referring(declaration, declarator, place));
        }
    }

    private static VariableDeclarationSyntax Referring(
        VariableDeclarationSyntax declaration, VariableDeclaratorSyntax declarator, ExpressionSyntax place)
    {
        var type = SyntaxFactory.RefType(
                SyntaxFactory.Token(SyntaxKind.RefKeyword).WithTrailingTrivia(SyntaxFactory.Space),
                declaration.Type.WithoutLeadingTrivia())
            .WithLeadingTrivia(declaration.Type.GetLeadingTrivia());
        var value = SyntaxFactory.RefExpression(
            SyntaxFactory.Token(SyntaxKind.RefKeyword).WithTrailingTrivia(SyntaxFactory.Space), place);
        return declaration.WithType(type).WithVariables(SyntaxFactory.SingletonSeparatedList(
            declarator.WithInitializer(declarator.Initializer!.WithValue(value))));
    }

    // A function inside cannot use a reference of the function around it.
    private static bool IsShared(BlockSyntax block, string name) => block.DescendantNodes()
        .Where(n => n is AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax)
        .SelectMany(f => f.DescendantNodes()).OfType<IdentifierNameSyntax>()
        .Any(n => n.Identifier.ValueText == name);
}
