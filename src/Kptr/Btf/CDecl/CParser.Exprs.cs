using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

internal sealed partial class CParser
{
    /// <summary>Binary operators by rising precedence.</summary>
    private static readonly string[][] s_operators = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

    /// <summary>A constant integer expression.</summary>
    private long Expr() => Nested(() => Binary(0));

    private long Binary(int level)
    {
        if (level == s_operators.Length)
        {
            return Nested(Unary);
        }

        var left = Binary(level + 1);
        while (Now.Kind == CTokenKind.Punct && s_operators[level].Contains(Now.Text))
        {
            var op = Next();
            left = Calculate(op, left, Binary(level + 1));
        }

        return left;
    }

    private static long Calculate(CToken op, long left, long right)
    {
        if (op.Text is "/" or "%" && (right == 0 || (right == -1 && left == long.MinValue)))
        {
            throw Syntax(op, "division has no result");
        }

        return op.Text switch
        {
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "<<" => left << (int)(right & 63),
            ">>" => left >> (int)(right & 63),
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            _ => left % right,
        };
    }

    private long Unary()
    {
        var token = Next();
        switch (token.Text)
        {
            case "-" when token.Kind == CTokenKind.Punct:
                return -Nested(Unary);
            case "+" when token.Kind == CTokenKind.Punct:
                return Nested(Unary);
            case "~" when token.Kind == CTokenKind.Punct:
                return ~Nested(Unary);
            case "(" when token.Kind == CTokenKind.Punct:
                var value = Expr();
                Expect(")");
                return value;
            case "sizeof" when token.Kind == CTokenKind.Name:
                return SizeOf(token);
        }

        return token.Kind switch
        {
            CTokenKind.Number => token.Value,
            CTokenKind.Name => scope.Constants.TryGetValue(token.Text, out var constant)
                ? constant
                : throw new CSyntaxException(DiagCode.CDeclUnknownName, token, $"'{token.Text}' is no known constant"),
            _ => throw Syntax(token, $"expected an integer, not {token.Shown}"),
        };
    }

    private long SizeOf(CToken at)
    {
        Expect("(");
        var specs = Specifiers();
        var id = Apply(specs, Declarator(specs, needsName: false));
        Expect(")");
        return scope.Layout(id).Size is var size and >= 0
            ? size
            : throw new CSyntaxException(DiagCode.CDeclBadType, at, "sizeof of an incomplete type");
    }
}
