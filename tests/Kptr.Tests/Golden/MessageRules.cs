using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Kptr.Tests.Golden;

/// <summary>A message of the verifier and the method that gives it.</summary>
/// <param name="Message">
/// Its words, with <see cref="MessageText.Hole"/> for what differs from program to program.
/// </param>
/// <param name="Codes">The codes that it comes with; empty for a line of the log that stands before a refusal.</param>
/// <param name="File">The file below <c>src/Kptr/Verifier</c>.</param>
/// <param name="Method">The method that makes the message.</param>
/// <param name="RefusedIn">The method that refuses with it.</param>
internal sealed record MessageRule(string Message, string Codes, string File, string Method, string RefusedIn);

/// <summary>
/// Reads the verifier's source for all that it says of programs: every message that reaches a <c>Diagnostic</c> or,
/// before a refusal, the log.
/// </summary>
/// <remarks>
/// A method that passes a parameter on as the message is no rule, nor is one whose name begins with <c>Reject</c>:
/// those who call it are. A message that another method makes belongs to that one.
/// </remarks>
internal sealed class MessageRules
{
    private static readonly string Folder = Path.Combine(TestData.Root, "src", "Kptr", "Verifier");

    /// <summary>Names of methods that take a message, and where among the arguments.</summary>
    private readonly Dictionary<string, int> _takers =
        new() { ["Diagnostic"] = 1, ["MakeDiagnostic"] = 1, ["Fault"] = 1 };
    private readonly HashSet<MessageRule> _rules = [];
    private readonly List<(string File, SyntaxNode Root)> _files;
    private readonly ILookup<string, SyntaxNode> _calls;
    private readonly MessageText _text;

    private MessageRules()
    {
        _files = [.. Directory.GetFiles(Folder, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(f => (Path.GetRelativePath(Folder, f).Replace('\\', '/'),
                CSharpSyntaxTree.ParseText(File.ReadAllText(f), path: f).GetRoot()))];
        _calls = _files.SelectMany(f => f.Root.DescendantNodes())
            .Where(n => NameOf(n).Length > 0).ToLookup(NameOf);
        _text = new(_files.Select(f => f.Root));
    }

    /// <summary>What real kernels say of selftests and Kptr does not, with what it says instead, or why.</summary>
    public static IReadOnlyList<(string Message, string Reason)> Unsaid { get; } = [.. File
        .ReadLines(TestData.Path("verifier", "messages-unsaid.tsv")).Where(l => !l.StartsWith('#'))
        .Select(l => l.Split('\t')).Select(w => (w[0], w[1]))
        .OrderBy(u => MessageText.SortKey(u.Item1), StringComparer.Ordinal)];

    /// <summary>All rules, by the words of their messages.</summary>
    public static IReadOnlyList<MessageRule> Read()
    {
        var rules = new MessageRules();
        var open = new Queue<string>(rules._takers.Keys);
        while (open.TryDequeue(out var taker))
        {
            foreach (var call in rules._calls[taker])
            {
                if (rules.Pass(call, rules._takers[taker]) is { } further)
                {
                    open.Enqueue(further);
                }
            }
        }

        rules.AddLog();
        return [.. rules._rules.OrderBy(r => MessageText.SortKey(r.Message), StringComparer.Ordinal)
            .ThenBy(r => r.Message, StringComparer.Ordinal).ThenBy(r => r.File, StringComparer.Ordinal)
            .ThenBy(r => r.Method, StringComparer.Ordinal).ThenBy(r => r.Codes, StringComparer.Ordinal)];
    }

    /// <summary>Notes what a call says, or gives the method around it where that takes the message.</summary>
    private string? Pass(SyntaxNode call, int index)
    {
        if (ArgumentAt(call, index, "message") is not { } message)
        {
            return null;
        }

        var method = MethodOf(call);
        if (message is IdentifierNameSyntax name && ParameterIndex(method, name.Identifier.Text) is var at and >= 0)
        {
            return _takers.TryAdd(SimpleName(method), at) ? SimpleName(method) : null;
        }

        foreach (var source in _text.Sources(message, method))
        {
            Add(source, CodesOf(call), SimpleName(method));
        }

        return null;
    }

    private void Add(ExpressionSyntax message, string codes, string refusedIn)
    {
        var method = MethodOf(message);
        if (!SimpleName(method).StartsWith("Reject", StringComparison.Ordinal))
        {
            AddAll(_text.Expand(message, method), codes, message, refusedIn);
            return;
        }

        foreach (var from in _calls[SimpleName(method)])
        {
            var values = MessageText.Parameters(message, method).ToDictionary(
                p => p, p => ArgumentAt(from, ParameterIndex(method, p), p) is { } value
                    ? _text.Expand(value, MethodOf(from)) : [MessageText.Hole]);
            AddAll(_text.Expand(message, method, values), CodesOf(from) is { Length: > 0 } own ? own : codes, from,
                SimpleName(MethodOf(from)));
        }
    }

    private void AddAll(IEnumerable<string> messages, string codes, SyntaxNode at, string refusedIn)
    {
        var file = Path.GetRelativePath(Folder, at.SyntaxTree.FilePath).Replace('\\', '/');
        foreach (var message in messages)
        {
            _rules.Add(new(message, codes, file, SimpleName(MethodOf(at)), refusedIn));
        }
    }

    /// <summary>Lines of the log that the kernel's own words stand in, before the message itself.</summary>
    private void AddLog()
    {
        foreach (var text in _calls["Line"].Select(c => ArgumentAt(c, 0, "line")).OfType<ExpressionSyntax>())
        {
            foreach (var source in _text.Sources(text, MethodOf(text)))
            {
                Add(source, "", SimpleName(MethodOf(text)));
            }
        }

        var coded = _rules.Where(r => r.Codes.Length > 0).ToLookup(r => (r.Message, r.Method));
        _rules.RemoveWhere(r => r.Codes.Length == 0
            && (coded.Contains((r.Message, r.Method)) || !MessageText.HasWords(r.Message)));
    }

    private static string CodesOf(SyntaxNode call)
    {
        var named = call.DescendantNodes().OfType<IdentifierNameSyntax>().Select(n => n.Identifier.Text).ToHashSet();
        var locals = MethodOf(call).DescendantNodes().OfType<VariableDeclaratorSyntax>()
            .Where(d => named.Contains(d.Identifier.Text));
        return string.Join(' ', locals.Prepend(call).SelectMany(n => n.DescendantNodes())
            .OfType<MemberAccessExpressionSyntax>().Where(m => $"{m.Expression}" == "DiagCode")
            .Select(m => m.Name.Identifier.Text).Distinct().Order(StringComparer.Ordinal));
    }

    private static string NameOf(SyntaxNode node) => node switch
    {
        InvocationExpressionSyntax { Expression: IdentifierNameSyntax name } => name.Identifier.Text,
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name: var name, Expression: var of } }
            => $"{of}" == "Refusal" ? "Refusal.At" : name.Identifier.Text,
        ObjectCreationExpressionSyntax { Type: IdentifierNameSyntax name } => name.Identifier.Text,
        _ => "",
    };

    private static ExpressionSyntax? ArgumentAt(SyntaxNode call, int index, string name)
    {
        var list = call switch
        {
            InvocationExpressionSyntax { ArgumentList: var of } => of,
            ObjectCreationExpressionSyntax { ArgumentList: { } of } => of,
            _ => SyntaxFactory.ArgumentList(),
        };
        return list.Arguments.FirstOrDefault(a => a.NameColon?.Name.Identifier.Text == name)?.Expression
            ?? (index < list.Arguments.Count && list.Arguments[index].NameColon is null
                ? list.Arguments[index].Expression : null);
    }

    private static SyntaxNode MethodOf(SyntaxNode node) => node.Ancestors().First(a => a is BaseMethodDeclarationSyntax
        or PropertyDeclarationSyntax or FieldDeclarationSyntax);

    private static int ParameterIndex(SyntaxNode method, string name) => method is BaseMethodDeclarationSyntax of
        ? of.ParameterList.Parameters.IndexOf(p => p.Identifier.Text == name) : -1;

    private static string SimpleName(SyntaxNode method) => method switch
    {
        MethodDeclarationSyntax { Identifier.Text: "At", Parent: ClassDeclarationSyntax { Identifier.Text: var type } }
            when type == "Refusal" => "Refusal.At",
        MethodDeclarationSyntax of => of.Identifier.Text,
        PropertyDeclarationSyntax of => of.Identifier.Text,
        _ => "",
    };
}
