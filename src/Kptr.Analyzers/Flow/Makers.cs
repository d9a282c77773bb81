using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Analyzers.Flow;

/// <summary>Tells methods that make the reference which they return from those that lend what they hold.</summary>
/// <remarks>Their text is read, not their meaning: what is not known to make one is taken for a lender.</remarks>
internal static class Makers
{
    private const int DepthMax = 20;

    /// <summary>Whether every reference that a method returns is its caller's.</summary>
    internal static bool IsOne(ISymbol method)
    {
        if (method.DeclaringSyntaxReferences.Length != 1)
        {
            return false;
        }

        var syntax = method.DeclaringSyntaxReferences[0].GetSyntax();
        var returned = syntax.DescendantNodes(n => n == syntax || n is not (AnonymousFunctionExpressionSyntax
                or LocalFunctionStatementSyntax))
            .Select(n => n switch
            {
                ReturnStatementSyntax statement => statement.Expression,
                ArrowExpressionClauseSyntax arrow => arrow.Expression,
                _ => null,
            }).OfType<ExpressionSyntax>().ToList();
        return returned.Count > 0 && returned.All(e => IsMade(e, syntax, [], 0));
    }

    private static bool IsMade(
        ExpressionSyntax? value, SyntaxNode method, HashSet<string> asked, int depth)
    {
        if (++depth > DepthMax)
        {
            return false;
        }

        return value switch
        {
            LiteralExpressionSyntax or DefaultExpressionSyntax or ThrowExpressionSyntax => true,
            InvocationExpressionSyntax call => IsMaker(call),
            ConditionalAccessExpressionSyntax access => access.WhenNotNull is InvocationExpressionSyntax call
                && IsMaker(call),
            IdentifierNameSyntax name => IsMadeVariable(name.Identifier.ValueText, method, asked, depth),
            ParenthesizedExpressionSyntax inner => IsMade(inner.Expression, method, asked, depth),
            CastExpressionSyntax cast => IsMade(cast.Expression, method, asked, depth),
            PostfixUnaryExpressionSyntax sure => IsMade(sure.Operand, method, asked, depth),
            MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Value" } access =>
                IsMade(access.Expression, method, asked, depth),
            ConditionalExpressionSyntax choice =>
                IsMade(choice.WhenTrue, method, asked, depth) && IsMade(choice.WhenFalse, method, asked, depth),
            BinaryExpressionSyntax either when either.IsKind(SyntaxKind.CoalesceExpression) =>
                IsMade(either.Left, method, asked, depth) && IsMade(either.Right, method, asked, depth),
            SwitchExpressionSyntax choice => choice.Arms.All(a => IsMade(a.Expression, method, asked, depth)),
            _ => false,
        };
    }

    /// <summary>Kptr's own ways to a reference, its kfuncs, and methods of the same class.</summary>
    private static bool IsMaker(InvocationExpressionSyntax call) => call.Expression switch
    {
        IdentifierNameSyntax or GenericNameSyntax => true,
        MemberAccessExpressionSyntax access => IsMaker(access.Name.Identifier.ValueText)
            || access.Expression.ToString().EndsWith("Kfuncs", StringComparison.Ordinal),
        MemberBindingExpressionSyntax binding => IsMaker(binding.Name.Identifier.ValueText),
        _ => false,
    };

    private static bool IsMaker(string name) =>
        name is "Exchange" or "TryAcquire" or "Own" or "TryClone" or "TakeRef";

    private static bool IsMadeVariable(string name, SyntaxNode method, HashSet<string> asked, int depth)
    {
        // What is given round and round is made if all else is.
        if (!asked.Add(name))
        {
            return true;
        }

        var given = new List<ExpressionSyntax?>();
        foreach (var node in method.DescendantNodes())
        {
            switch (node)
            {
                case VariableDeclaratorSyntax declarator when declarator.Identifier.ValueText == name:
                    given.Add(declarator.Initializer?.Value ?? SyntaxFactory.LiteralExpression(
                        SyntaxKind.NullLiteralExpression));
                    break;
                case AssignmentExpressionSyntax { Left: IdentifierNameSyntax left } assignment
                    when left.Identifier.ValueText == name:
                    given.Add(assignment.Right);
                    break;
                case SingleVariableDesignationSyntax designation when designation.Identifier.ValueText == name:
                    given.Add(designation.FirstAncestorOrSelf<IsPatternExpressionSyntax>()?.Expression);
                    break;
            }
        }

        return given.Count > 0 && given.All(g => IsMade(g, method, asked, depth));
    }
}
