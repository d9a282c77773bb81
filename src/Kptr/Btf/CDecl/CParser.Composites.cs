using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

internal sealed partial class CParser
{
    private const long StructBytesMax = 1 << 28;
    private const long BitfieldOffsetMax = 0xffffff;

    /// <summary>What follows the word <c>struct</c> or <c>union</c>: a name, a body, or both.</summary>
    private (int Id, bool Defines) Composite(BtfKind kind, CAttrs outer)
    {
        var own = new CAttrs();
        while (Attribute(own))
        {
        }

        CToken? name = Now.Kind == CTokenKind.Name ? Next() : null;
        if (!Now.Is("{"))
        {
            return name is { } tag
                ? (scope.UseTag(tag, kind), false)
                : throw Syntax(Now, $"expected a name or '{{', not {Now.Shown}");
        }

        var open = Next();
        var id = scope.OpenComposite(name, kind);
        var firstMember = _at;
        SkipBody();
        while (Attribute(own))
        {
        }

        // The attributes after the body decide how its members are laid out, so the body is read now.
        var end = _at;
        _at = firstMember;
        var body = new CBody(new CLayout(kind == BtfKind.Union, own.IsPacked), [], []);
        while (!Accept("}"))
        {
            MemberDeclaration(body);
        }

        _at = end;
        Close(id, body, own, name ?? open);
        outer.TypeTags.AddRange(own.TypeTags);
        return (id, true);
    }

    private void SkipBody()
    {
        for (var depth = 1; depth > 0;)
        {
            var token = Next();
            depth += token.Is("{") ? 1 : token.Is("}") ? -1 : 0;
            if (token.Kind == CTokenKind.End)
            {
                throw Syntax(token, "this struct or union has no '}'");
            }
        }
    }

    private void Close(int id, CBody body, CAttrs attrs, CToken at)
    {
        body.Layout.RaiseAlign(attrs.Aligned);
        var hasBits = body.Members.Exists(m => m.BitfieldSizeBits != 0);
        if (body.Layout.SizeBytes > StructBytesMax || body.Members.Count > BtfBuilder.VLenMax
            || (hasBits && body.Members.Exists(m => m.BitOffset > BitfieldOffsetMax)))
        {
            throw new CSyntaxException(DiagCode.CDeclBadType, at, "this struct or union is too large");
        }

        scope.CloseComposite(id, body.Layout.SizeBytes, body.Layout.Align, body.Members);
        foreach (var (tag, index) in body.Tags)
        {
            builder.AddDeclTag(tag, id, index);
        }

        foreach (var tag in attrs.DeclTags)
        {
            builder.AddDeclTag(tag, id);
        }
    }

    private void MemberDeclaration(CBody body)
    {
        if (Accept(";"))
        {
            return;
        }

        var start = Now;
        var specs = Specifiers();
        if (specs.Storage.Length > 0)
        {
            throw Syntax(start, $"a member cannot be '{specs.Storage}'");
        }

        if (Accept(";"))
        {
            if (IsAnonymousComposite(specs))
            {
                AddMember(body, specs, new CDeclarator(start with { Text = "" }, []), null);
            }

            return;
        }

        var aligned = specs.Attrs.Aligned;
        do
        {
            var declarator = Now.Is(":")
                ? new CDeclarator(Now with { Text = "" }, [])
                : Declarator(specs, needsName: true);
            long? bits = Accept(":") ? Expr() : null;
            while (Attribute(specs.Attrs))
            {
            }

            AddMember(body, specs, declarator, bits);
            specs.Attrs.Aligned = aligned;
        }
        while (Accept(","));

        Expect(";");
    }

    private bool IsAnonymousComposite(CSpecs specs)
    {
        var id = SkipQualifiers(specs.TypeId);
        return specs.DefinesType && builder.KindOf(id) is BtfKind.Struct or BtfKind.Union && builder.IsAnonymous(id);
    }

    private int SkipQualifiers(int id)
    {
        while (builder.KindOf(id) is BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict)
        {
            id = builder.RefOf(id);
        }

        return id;
    }

    private void AddMember(CBody body, CSpecs specs, CDeclarator declarator, long? bits)
    {
        var name = declarator.Name;
        var typeId = Apply(specs, declarator);
        var (size, align) = scope.Layout(typeId);
        if (size < 0)
        {
            throw new CSyntaxException(DiagCode.CDeclBadType, name, $"member '{name.Text}' has an incomplete type");
        }

        if (name.Text.Length > 0 && !body.Names.Add(name.Text))
        {
            throw new CSyntaxException(DiagCode.CDeclRedefined, name, $"there is a member '{name.Text}' before");
        }

        var attrs = specs.Attrs;
        var width = bits is { } w ? CheckWidth(w, typeId, size, name) : 0;
        var at = bits is null
            ? body.Layout.Add(size, attrs.IsPacked ? 1 : align, attrs.Aligned)
            : body.Layout.AddBits(width, (int)size, attrs.Aligned, name.Text.Length > 0);
        if (at > int.MaxValue)
        {
            throw new CSyntaxException(DiagCode.CDeclBadType, name, "this struct or union is too large");
        }

        if (bits is null || name.Text.Length > 0)
        {
            body.Tags.AddRange(attrs.DeclTags.Select(t => (t, body.Members.Count)));
            body.Members.Add(new(name.Text, typeId, (int)at, width));
        }

        attrs.DeclTags.Clear();
    }

    private int CheckWidth(long bits, int typeId, long size, CToken name)
    {
        var id = typeId;
        while (builder.KindOf(id) is BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile)
        {
            id = builder.RefOf(id);
        }

        return builder.KindOf(id) is BtfKind.Int or BtfKind.Enum or BtfKind.Enum64
            && bits >= (name.Text.Length > 0 ? 1 : 0) && bits <= size * 8
            ? (int)bits
            : throw new CSyntaxException(DiagCode.CDeclBadType, name, $"no bit field of {bits} bits fits this type");
    }

    private int Enum(CAttrs outer)
    {
        var own = new CAttrs();
        while (Attribute(own))
        {
        }

        CToken? name = Now.Kind == CTokenKind.Name ? Next() : null;
        if (!Now.Is("{"))
        {
            return name is { } tag
                ? scope.UseTag(tag, BtfKind.Enum)
                : throw Syntax(Now, $"expected a name or '{{', not {Now.Shown}");
        }

        Next();
        var values = new List<BtfEnumValue>();
        var isHuge = false;
        for (var next = 0L; !Now.Is("}"); next++)
        {
            var word = Expect(CTokenKind.Name, "an enum value");
            if (Accept("="))
            {
                isHuge |= Now is { Kind: CTokenKind.Number, Value: < 0 };
                next = Expr();
            }

            scope.Constants[word.Text] = next;
            values.Add(new(word.Text, next));
            if (!Accept(","))
            {
                break;
            }
        }

        Expect("}");
        while (Attribute(own))
        {
        }

        outer.TypeTags.AddRange(own.TypeTags);
        return DefineEnum(name, own.IsPacked, isHuge, values);
    }

    private int DefineEnum(CToken? name, bool isPacked, bool isHuge, List<BtfEnumValue> values)
    {
        if (values.Count > BtfBuilder.VLenMax)
        {
            throw Syntax(Now, "this enum has too many values");
        }

        if (isHuge)
        {
            return scope.DefineEnum(name, 8, false, values);
        }

        var (min, max) = values.Count == 0 ? (0, 0) : (values.Min(v => v.Value), values.Max(v => v.Value));
        var isSigned = min < 0;
        bool Fits(int bits) => isSigned
            ? min >= -(1L << (bits - 1)) && max < 1L << (bits - 1)
            : max < 1L << bits;
        var size = isPacked && Fits(8) ? 1 : isPacked && Fits(16) ? 2 : Fits(32) ? 4 : 8;
        return scope.DefineEnum(name, size, isSigned, values);
    }

    /// <summary>A struct or union while its members are read.</summary>
    private sealed record CBody(CLayout Layout, List<BtfMember> Members, List<(string Tag, int Index)> Tags)
    {
        internal HashSet<string> Names { get; } = [];
    }
}
