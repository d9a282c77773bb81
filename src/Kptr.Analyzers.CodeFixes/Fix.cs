using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;

namespace Kptr.Analyzers.CodeFixes;

/// <summary>What all fixes do: put one node in another's place.</summary>
internal static class Fix
{
    /// <summary>Offers it under a title, by which the fixes of a whole solution are also told apart.</summary>
    internal static void Offer(
        this CodeFixContext context, string title, IEnumerable<Diagnostic> diagnostics, SyntaxNode root,
        SyntaxNode node, Func<SyntaxNode> change) =>
        context.RegisterCodeFix(
            CodeAction.Create(
                title,
                _ => Task.FromResult(context.Document.WithSyntaxRoot(root.ReplaceNode(node, change()))),
                title),
            diagnostics);
}
