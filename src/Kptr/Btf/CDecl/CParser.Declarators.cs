using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

internal sealed partial class CParser
{
    /// <summary>Reads pointers, a name, arrays and parameters around it.</summary>
    private CDeclarator Declarator(CSpecs specs, bool needsName)
    {
        var declarator = Nested(() => DeclaratorParts(specs));
        return needsName && declarator.Name.Text.Length == 0
            ? throw Syntax(Now, $"expected a name, not {Now.Shown}")
            : declarator;
    }

    private CDeclarator DeclaratorParts(CSpecs specs)
    {
        var ops = new List<CTypeOp>();
        while (Accept("*"))
        {
            ops.Add(PtrOp());
        }

        var inner = new CDeclarator(new CToken(CTokenKind.Name, "", Now.Line, Now.Column), []);
        while (Attribute(specs.Attrs))
        {
        }

        if (Now.Is("(") && IsNestedDeclarator())
        {
            Next();
            inner = Nested(() => DeclaratorParts(specs));
            Expect(")");
        }
        else if (Now.Kind == CTokenKind.Name)
        {
            inner = new CDeclarator(Next(), []);
        }

        var suffixes = new List<CTypeOp>();
        while (Now.Is("[") || Now.Is("("))
        {
            suffixes.Add(Now.Is("[") ? ArrayOp() : FuncOp());
        }

        suffixes.Reverse();
        return inner with { Ops = [.. ops, .. suffixes, .. inner.Ops] };
    }

    private CTypeOp.Ptr PtrOp()
    {
        var quals = CQuals.None;
        var attrs = new CAttrs();
        while (true)
        {
            if (Qualifier() is var q and not CQuals.None)
            {
                quals |= q;
            }
            else if (!Attribute(attrs))
            {
                return new(quals, attrs.TypeTags);
            }
        }
    }

    /// <summary>Whether the parenthesis opens a declarator and not a parameter list.</summary>
    private bool IsNestedDeclarator()
    {
        var next = tokens[_at + 1];
        return next.Is("*") || next.Is("(")
            || (next.Kind == CTokenKind.Name && !IsTypeWord(next.Text) && !next.Is("const") && !next.Is("volatile"));
    }

    private bool IsTypeWord(string word) =>
        word is "struct" or "union" or "enum" || s_basicWords.Contains(word) || scope.IsTypedef(word);

    private CTypeOp.Array ArrayOp()
    {
        var at = Expect("[");
        var count = Now.Is("]") ? 0 : Expr();
        Expect("]");
        return count is >= 0 and <= int.MaxValue
            ? new((int)count, at)
            : throw new CSyntaxException(DiagCode.CDeclBadType, at, $"an array cannot have {count} elements");
    }

    private CTypeOp.Func FuncOp()
    {
        Expect("(");
        var all = new List<CParam>();
        if (Accept(")") || (Now.Is("void") && tokens[_at + 1].Is(")") && Next().Is("void") && Accept(")")))
        {
            return new(all, false);
        }

        do
        {
            if (Accept("..."))
            {
                Expect(")");
                return new(all, true);
            }

            all.Add(Param());
        }
        while (Accept(","));

        Expect(")");
        return new(all, false);
    }

    private CParam Param()
    {
        var specs = Specifiers();
        var declarator = Declarator(specs, needsName: false);
        while (Attribute(specs.Attrs))
        {
        }

        // Arrays and functions decay to pointers, as the outermost step of the parameter only.
        var ops = declarator.Ops;
        var id = ops switch
        {
            [.. var rest, CTypeOp.Array] =>
                Apply(specs, declarator with { Ops = [.. rest, new CTypeOp.Ptr(CQuals.None, [])] }),
            [.., CTypeOp.Func] => Apply(specs, declarator with { Ops = [.. ops, new CTypeOp.Ptr(CQuals.None, [])] }),
            _ => Apply(specs, declarator),
        };
        return id == 0
            ? throw new CSyntaxException(DiagCode.CDeclBadType, specs.At, "a parameter cannot be void")
            : new(declarator.Name.Text, id, specs.Attrs.DeclTags);
    }

    /// <summary>The type at the end of the steps. Tags stand between a pointer and what it points to.</summary>
    private int Apply(CSpecs specs, CDeclarator declarator)
    {
        var id = specs.TypeId;
        var tags = specs.Attrs.TypeTags;
        foreach (var op in declarator.Ops)
        {
            if (op is CTypeOp.Ptr ptr)
            {
                id = Qualify(scope.Types.Ptr(tags.Aggregate(id, (t, tag) => scope.Types.TypeTag(tag, t))), ptr.Quals);
                tags = ptr.Tags;
                continue;
            }

            RefuseTags(tags, specs.At);
            id = op switch
            {
                CTypeOp.Array array => scope.Types.Array(CheckElem(id, array), array.Count),
                CTypeOp.Func func => builder.AddFuncProto(
                    id, [.. func.Params.Select(p => new BtfParam(p.Name, p.TypeId)), .. Ellipsis(func)]),
                _ => id,
            };
        }

        RefuseTags(tags, specs.At);
        return id;
    }

    private int CheckElem(int id, CTypeOp.Array array)
    {
        var (size, _) = scope.Layout(id);
        return size >= 0 && size * Math.Max(array.Count, 1) <= int.MaxValue
            ? id
            : throw new CSyntaxException(
                DiagCode.CDeclBadType, array.At, "the array's elements are incomplete or too large");
    }

    private static IEnumerable<BtfParam> Ellipsis(CTypeOp.Func func) => func.IsVariadic ? [new BtfParam("", 0)] : [];

    private static void RefuseTags(List<string> tags, CToken at)
    {
        if (tags.Count > 0)
        {
            throw Syntax(at, $"tag '{tags[0]}' must stand before the '*' of a pointer");
        }
    }
}
