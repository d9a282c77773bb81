using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Tests.Golden;

/// <summary>What a C# expression may say, as far as its source tells: words, and holes for the rest.</summary>
/// <param name="files">The source that methods, constants and fields are looked up in.</param>
internal sealed partial class MessageText(IEnumerable<SyntaxNode> files)
{
    /// <summary>Stands for what is known only when the verifier runs.</summary>
    public const string Hole = "…";

    private const int WaysMax = 16;
    private const int DepthMax = 6;

    private readonly ILookup<string, SyntaxNode> _members = files.SelectMany(f => f.DescendantNodes())
        .Where(n => MemberName(n).Length > 0).ToLookup(MemberName);

    private readonly ILookup<string, AssignmentExpressionSyntax> _stores = files.SelectMany(f => f.DescendantNodes())
        .OfType<AssignmentExpressionSyntax>().Where(a => a.Left is MemberAccessExpressionSyntax)
        .ToLookup(a => ((MemberAccessExpressionSyntax)a.Left).Name.Identifier.Text);

    private IReadOnlyDictionary<string, HashSet<string>> _values = new Dictionary<string, HashSet<string>>();

    /// <summary>Whether a message says something beside what differs from program to program.</summary>
    public static bool HasWords(string message) => WordPattern().IsMatch(message);

    /// <summary>What a message is sorted by: its letters, from the first word on.</summary>
    public static string SortKey(string message) =>
        string.Concat(message.Split(Hole, 2)[message.StartsWith(Hole, StringComparison.Ordinal) ? 1 : 0]
            .Where(char.IsLetterOrDigit)).ToLowerInvariant();

    /// <summary>A pattern of all messages of these words.</summary>
    public static Regex Pattern(string message) =>
        new($@"\A{string.Join(".*", message.Split(Hole).Select(Regex.Escape))}\z", RegexOptions.Singleline);

    /// <summary>Parameters of a method that stand in an expression, as text.</summary>
    public static IReadOnlyList<string> Parameters(ExpressionSyntax expression, SyntaxNode method) =>
        [.. expression.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Select(n => n.Identifier.Text)
            .Where(n => method is BaseMethodDeclarationSyntax of && of.ParameterList.Parameters.Any(
                p => p.Identifier.Text == n && $"{p.Type}" is "string" or "string?")).Distinct()];

    /// <summary>Where a message is made: the expression itself, or those that it takes it from.</summary>
    public IReadOnlyList<ExpressionSyntax> Sources(ExpressionSyntax message, SyntaxNode method) => message switch
    {
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.CoalesceExpression } or =>
            [.. Sources(or.Left, method), .. Sources(or.Right, method)],
        MemberAccessExpressionSyntax m => [.. _stores[m.Name.Identifier.Text].Select(a => a.Right)],
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax m } => Returned(m.Name.Identifier.Text),
        InvocationExpressionSyntax { Expression: IdentifierNameSyntax n } => Returned(n.Identifier.Text),
        IdentifierNameSyntax n when method.DescendantNodes().OfType<IsPatternExpressionSyntax>().FirstOrDefault(
            p => p.Pattern is RecursivePatternSyntax { Designation: SingleVariableDesignationSyntax d }
                && d.Identifier.Text == n.Identifier.Text) is { } pattern => Sources(pattern.Expression, method),
        _ => [message],
    } is { Count: > 0 } found ? found : [message];

    /// <summary>All that an expression may say.</summary>
    /// <param name="expression">It.</param>
    /// <param name="method">The method it stands in.</param>
    /// <param name="values">What parameters of the method are, where that is known.</param>
    public HashSet<string> Expand(
        ExpressionSyntax expression, SyntaxNode method, IReadOnlyDictionary<string, HashSet<string>>? values = null)
    {
        _values = values ?? new Dictionary<string, HashSet<string>>();
        return [.. Ways(expression, method, 0).Select(m => HolesPattern().Replace(m.Trim(), Hole))];
    }

    private HashSet<string> Ways(ExpressionSyntax expression, SyntaxNode method, int depth)
    {
        HashSet<string> ways = depth > DepthMax ? [Hole] : expression switch
        {
            LiteralExpressionSyntax { RawKind: (int)SyntaxKind.StringLiteralExpression } l => [l.Token.ValueText],
            LiteralExpressionSyntax { RawKind: (int)SyntaxKind.NullLiteralExpression } => [],
            InterpolatedStringExpressionSyntax s => s.Contents.Aggregate<InterpolatedStringContentSyntax,
                HashSet<string>>([""], (all, part) => Join(all, part switch
                {
                    InterpolatedStringTextSyntax text => [Unescape(text.TextToken.ValueText)],
                    InterpolationSyntax hole => Ways(hole.Expression, method, depth + 1),
                    _ => [Hole],
                })),
            BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AddExpression } sum =>
                Join(Ways(sum.Left, method, depth), Ways(sum.Right, method, depth)),
            BinaryExpressionSyntax { RawKind: (int)SyntaxKind.CoalesceExpression } or =>
                [.. Ways(or.Left, method, depth), .. Ways(or.Right, method, depth)],
            ConditionalExpressionSyntax c =>
                [.. Ways(c.WhenTrue, method, depth), .. Ways(c.WhenFalse, method, depth)],
            SwitchExpressionSyntax s => [.. s.Arms.Where(a => a.Expression is not ThrowExpressionSyntax)
                .SelectMany(a => Ways(a.Expression, method, depth))],
            ParenthesizedExpressionSyntax p => Ways(p.Expression, method, depth),
            PostfixUnaryExpressionSyntax p => Ways(p.Operand, method, depth),
            IdentifierNameSyntax n => NameWays(n.Identifier.Text, method, depth + 1),
            InvocationExpressionSyntax { Expression: var of } call when $"{of}" == "string.Create" =>
                Ways(call.ArgumentList.Arguments[^1].Expression, method, depth),
            _ => [Hole],
        };
        return ways.Count > WaysMax || (depth > 0 && ways.Contains("")) ? [Hole] : ways;
    }

    private HashSet<string> NameWays(string name, SyntaxNode method, int depth)
    {
        if (_values.TryGetValue(name, out var known))
        {
            return known;
        }

        var isParameter = method is BaseMethodDeclarationSyntax of
            && of.ParameterList.Parameters.Any(p => p.Identifier.Text == name);
        HashSet<string> ways = isParameter ? [] : [.. method.DescendantNodes().SelectMany(n => n switch
        {
            VariableDeclaratorSyntax { Initializer.Value: var value } d when d.Identifier.Text == name =>
                Ways(value, method, depth),
            AssignmentExpressionSyntax { Left: IdentifierNameSyntax left } a when left.Identifier.Text == name =>
                Ways(a.Right, method, depth),
            _ => [],
        })];
        return ways.Count > 0 ? ways : isParameter ? [Hole] : [.. Constants(name).DefaultIfEmpty(Hole)];
    }

    private IEnumerable<string> Constants(string name) => _members[name].OfType<FieldDeclarationSyntax>()
        .SelectMany(f => Ways(f.Declaration.Variables[0].Initializer!.Value, f, 1));

    private List<ExpressionSyntax> Returned(string name) => [.. _members[name].SelectMany(m => m.DescendantNodes())
        .Select(n => n switch
        {
            ArrowExpressionClauseSyntax { Parent: MethodDeclarationSyntax, Expression: var value } => value,
            ReturnStatementSyntax { Expression: { } value } => value,
            _ => null,
        }).OfType<ExpressionSyntax>()];

    private static string MemberName(SyntaxNode node) => node switch
    {
        MethodDeclarationSyntax m when $"{m.ReturnType}" is "string" or "string?" => m.Identifier.Text,
        FieldDeclarationSyntax { Declaration: { Type: var type, Variables: [{ Initializer: not null } only] } }
            when $"{type}" == "string" => only.Identifier.Text,
        _ => "",
    };

    private static HashSet<string> Join(HashSet<string> left, HashSet<string> right) =>
        left.Count * right.Count > WaysMax ? Join(left, [Hole]) : [.. left.SelectMany(l => right.Select(r => l + r))];

    private static string Unescape(string text) => text.Replace("{{", "{").Replace("}}", "}");

    [GeneratedRegex(@"\p{L}{3}")]
    private static partial Regex WordPattern();

    [GeneratedRegex(Hole + "{2,}")]
    private static partial Regex HolesPattern();
}
