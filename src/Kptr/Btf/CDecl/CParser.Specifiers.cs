using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

internal sealed partial class CParser
{
    private static readonly HashSet<string> s_basicWords =
    [
        "void", "char", "short", "int", "long", "signed", "unsigned", "_Bool", "float", "double", "__int128",
        "__signed__", "__signed",
    ];

    private static readonly HashSet<string> s_ignoredWords =
    [
        "inline", "__inline", "__inline__", "__weak", "__hidden", "__ksym", "__always_inline", "__noinline",
        "__extension__", "__must_check",
    ];

    private static readonly Dictionary<string, string> s_typeTags = new()
    {
        ["__kptr"] = "kptr", ["__kptr_untrusted"] = "kptr_untrusted", ["__percpu_kptr"] = "percpu_kptr",
        ["__uptr"] = "uptr", ["__rcu"] = "rcu", ["__user"] = "user", ["__percpu"] = "percpu",
    };

    private static readonly Dictionary<string, string> s_declTags = new()
    {
        ["__bpf_kfunc"] = "bpf_kfunc", ["__arg_ctx"] = "arg:ctx", ["__arg_nonnull"] = "arg:nonnull",
        ["__arg_nullable"] = "arg:nullable", ["__arg_trusted"] = "arg:trusted", ["__arg_arena"] = "arg:arena",
    };

    /// <summary>Whether a macro (<c>__arg_ctx</c>) stands for this declaration tag.</summary>
    internal static bool IsArgTag(string tag) => s_declTags.ContainsValue(tag);

    private CSpecs Specifiers()
    {
        var start = Now;
        var attrs = new CAttrs();
        var words = new List<string>();
        int? typeId = null;
        var (storage, quals, defines) = ("", CQuals.None, false);
        while (true)
        {
            if (Now.Is("typedef") || Now.Is("extern") || Now.Is("static"))
            {
                storage = storage.Length == 0 ? Next().Text : throw Syntax(Now, $"'{Now.Text}' after '{storage}'");
            }
            else if (Qualifier() is var q and not CQuals.None)
            {
                quals |= q;
            }
            else if (Now.Kind == CTokenKind.Name && s_basicWords.Contains(Now.Text) && typeId is null)
            {
                words.Add(Next().Text.Trim('_') switch { "Bool" => "_Bool", "int128" => "__int128", var w => w });
            }
            else if (words.Count == 0 && typeId is null && TypeName(attrs, ref defines) is { } named)
            {
                typeId = named;
            }
            else if (!Attribute(attrs))
            {
                break;
            }
        }

        return new(Qualify(typeId ?? BasicType(words, start), quals), attrs, storage, defines, start);
    }

    /// <summary>A struct, union or enum specifier or a typedef's name; null where none stands here.</summary>
    private int? TypeName(CAttrs attrs, ref bool defines)
    {
        if (Now.Is("struct") || Now.Is("union"))
        {
            var kind = Next().Is("union") ? BtfKind.Union : BtfKind.Struct;
            var (id, definesIt) = Nested(() => Composite(kind, attrs));
            defines = definesIt;
            return id;
        }

        if (Now.Is("enum"))
        {
            Next();
            defines = true;
            return Enum(attrs);
        }

        return Now.Kind == CTokenKind.Name && scope.IsTypedef(Now.Text) ? scope.Typedef(Next().Text) : null;
    }

    private int BasicType(List<string> words, CToken start)
    {
        if (words.Count == 0)
        {
            throw Now.Kind == CTokenKind.Name
                ? new CSyntaxException(DiagCode.CDeclUnknownName, Now, $"unknown type name '{Now.Text}'")
                : Syntax(Now, $"expected a type, not {Now.Shown}");
        }

        return scope.Types.Basic(words) is var id and >= 0
            ? id
            : throw Syntax(start, $"'{string.Join(' ', words)}' is no type");
    }

    private CQuals Qualifier()
    {
        var q = Now.Kind != CTokenKind.Name ? CQuals.None : Now.Text switch
        {
            "const" or "__const" => CQuals.Const,
            "volatile" or "__volatile__" => CQuals.Volatile,
            "restrict" or "__restrict" or "__restrict__" => CQuals.Restrict,
            _ => CQuals.None,
        };
        if (q != CQuals.None)
        {
            Next();
        }

        return q;
    }

    private int Qualify(int id, CQuals quals)
    {
        id = quals.HasFlag(CQuals.Restrict) ? scope.Types.Restrict(id) : id;
        id = quals.HasFlag(CQuals.Volatile) ? scope.Types.Volatile(id) : id;
        return quals.HasFlag(CQuals.Const) ? scope.Types.Const(id) : id;
    }

    /// <summary>Reads one attribute or attribute-like macro; false where none stands here.</summary>
    private bool Attribute(CAttrs attrs)
    {
        if (Now.Kind != CTokenKind.Name)
        {
            return false;
        }

        var word = Now.Text;
        if (s_typeTags.TryGetValue(word, out var tag))
        {
            attrs.TypeTags.Add(tag);
        }
        else if (s_declTags.TryGetValue(word, out tag))
        {
            attrs.DeclTags.Add(tag);
        }
        else if (word is "__contains" or "SEC" or "__attribute__")
        {
            Next();
            AttributeWithArguments(word, attrs);
            return true;
        }
        else if (word == "__packed")
        {
            attrs.IsPacked = true;
        }
        else if (!s_ignoredWords.Contains(word))
        {
            return false;
        }

        Next();
        return true;
    }

    private void AttributeWithArguments(string word, CAttrs attrs)
    {
        Expect("(");
        switch (word)
        {
            case "__contains":
                var type = Expect(CTokenKind.Name, "a struct's name").Text;
                Expect(",");
                attrs.DeclTags.Add($"contains:{type}:{Expect(CTokenKind.Name, "a field's name").Text}");
                break;
            case "SEC":
                attrs.Section = Expect(CTokenKind.String, "a string").Text;
                break;
            default:
                Expect("(");
                while (!Now.Is(")"))
                {
                    GnuAttribute(attrs);
                    Accept(",");
                }

                Expect(")");
                break;
        }

        Expect(")");
    }

    private void GnuAttribute(CAttrs attrs)
    {
        var name = Expect(CTokenKind.Name, "an attribute");
        switch (name.Text.Trim('_'))
        {
            case "packed":
                attrs.IsPacked = true;
                break;
            case "aligned":
                attrs.Aligned = Math.Max(attrs.Aligned, AlignedArgument(name));
                break;
            case "btf_type_tag":
                attrs.TypeTags.Add(StringArgument());
                break;
            case "btf_decl_tag":
                attrs.DeclTags.Add(StringArgument());
                break;
            case "section":
                attrs.Section = StringArgument();
                break;
            case "preserve_access_index" or "unused" or "weak" or "noinline" or "always_inline":
                break;
            default:
                throw Syntax(name, $"attribute '{name.Text}' is not understood here");
        }
    }

    private int AlignedArgument(CToken name)
    {
        if (!Accept("("))
        {
            return 16;
        }

        var value = Expr();
        Expect(")");
        return value is > 0 and <= 4096 && (value & (value - 1)) == 0
            ? (int)value
            : throw Syntax(name, "alignment must be a power of two up to 4096");
    }

    private string StringArgument()
    {
        Expect("(");
        var text = Expect(CTokenKind.String, "a string").Text;
        Expect(")");
        return text;
    }
}
