using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

/// <summary>
/// Recursive descent over C declarations; each declaration goes to the builder as soon as it is read.
/// </summary>
internal sealed partial class CParser(List<CToken> tokens, CScope scope, BtfBuilder builder)
{
    private const int DepthMax = 100;
    private int _at;
    private int _depth;

    private CToken Now => tokens[_at];

    internal void ParseAll()
    {
        while (Now.Kind != CTokenKind.End)
        {
            if (Now.Is("#"))
            {
                Define();
            }
            else if (!Accept(";"))
            {
                Declaration();
            }
        }
    }

    /// <summary><c>#define NAME integer</c>.</summary>
    private void Define()
    {
        var hash = Next();
        if (!Now.Is("define") || Now.Line != hash.Line)
        {
            throw Syntax(Now, "only #define of an integer and #pragma are understood here");
        }

        Next();
        var name = Expect(CTokenKind.Name, "a name");
        var value = Expr();
        if (Now.Kind != CTokenKind.End && Now.Line == name.Line)
        {
            throw Syntax(Now, $"{Now.Shown} after the value of '{name.Text}'");
        }

        scope.Constants[name.Text] = value;
    }

    private void Declaration()
    {
        var specs = Specifiers();
        if (Now.Is(";"))
        {
            Next();
            return;
        }

        do
        {
            var declarator = Declarator(specs, needsName: true);
            while (Attribute(specs.Attrs))
            {
            }

            Declare(specs, declarator);
        }
        while (Accept(","));

        if (Now.Is("{") || Now.Is("="))
        {
            throw Syntax(Now, "declarations only: no function body and no initial value");
        }

        Expect(";");
    }

    private void Declare(CSpecs specs, CDeclarator declarator)
    {
        var typeId = Apply(specs, declarator);
        var name = declarator.Name;
        int id;
        if (specs.Storage == "typedef")
        {
            id = scope.DeclareTypedef(name, typeId);
        }
        else if (builder.KindOf(typeId) == BtfKind.FuncProto)
        {
            var linkage = specs.Storage switch { "static" => 0, "extern" => 2, _ => 1 };
            var isNew = false;
            id = scope.DeclareSymbol(name, typeId, () => Added(builder.AddFunc(name.Text, typeId, linkage), out isNew));
            if (isNew)
            {
                AddParamTags(id, declarator);
            }
        }
        else
        {
            id = DeclareVar(specs, name, typeId);
        }

        foreach (var tag in specs.Attrs.DeclTags)
        {
            builder.AddDeclTag(tag, id);
        }

        specs.Attrs.DeclTags.Clear();
    }

    private int DeclareVar(CSpecs specs, CToken name, int typeId)
    {
        var linkage = specs.Storage switch { "static" => 0, "extern" => 2, _ => 1 };
        var (size, align) = scope.Layout(typeId);
        if (size < 0 && linkage != 2)
        {
            throw new CSyntaxException(DiagCode.CDeclBadType, name, $"the type of '{name.Text}' is incomplete");
        }

        var isNew = false;
        var id = scope.DeclareSymbol(name, typeId, () => Added(builder.AddVar(name.Text, typeId, linkage), out isNew));
        if (isNew && specs.Attrs.Section is { } section)
        {
            scope.AddToSection(section, id, Math.Max(size, 0), Math.Max(align, 1));
        }

        return id;
    }

    private void AddParamTags(int funcId, CDeclarator declarator)
    {
        if (declarator.Ops is not [.., CTypeOp.Func func])
        {
            return;
        }

        for (var i = 0; i < func.Params.Count; i++)
        {
            foreach (var tag in func.Params[i].DeclTags)
            {
                builder.AddDeclTag(tag, funcId, i);
            }
        }
    }

    private static int Added(int id, out bool isNew)
    {
        isNew = true;
        return id;
    }

    private CToken Next() => Now.Kind == CTokenKind.End ? Now : tokens[_at++];

    private bool Accept(string text)
    {
        if (!Now.Is(text))
        {
            return false;
        }

        _at++;
        return true;
    }

    private CToken Expect(string text) =>
        Now.Is(text) ? Next() : throw Syntax(Now, $"expected '{text}', not {Now.Shown}");

    private CToken Expect(CTokenKind kind, string what) =>
        Now.Kind == kind ? Next() : throw Syntax(Now, $"expected {what}, not {Now.Shown}");

    private static CSyntaxException Syntax(CToken at, string message) => new(DiagCode.CDeclSyntax, at, message);

    /// <summary>Bounds recursion, so that no text can exhaust the stack.</summary>
    private T Nested<T>(Func<T> parse)
    {
        if (++_depth > DepthMax)
        {
            throw Syntax(Now, "nested too deep");
        }

        var result = parse();
        _depth--;
        return result;
    }
}
