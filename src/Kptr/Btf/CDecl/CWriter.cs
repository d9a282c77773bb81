using System.Globalization;
using System.Text;

namespace Kptr.Btf.CDecl;

/// <summary>Spells types and declarations in C. Not safe for several threads at once.</summary>
internal sealed class CWriter(BtfSpec btf)
{
    private const int ChainMax = 64;
    private const int NestingMax = 64;
    private const int PadsMax = 512;
    private static readonly string[] s_macroTags =
        ["kptr", "kptr_untrusted", "percpu_kptr", "uptr", "rcu", "user", "percpu"];

    private readonly BtfLayout _layout = new(btf);
    private readonly Dictionary<int, string> _renamed = [];
    private readonly Lazy<BtfDeclTags> _tags = new(() => new BtfDeclTags(btf));

    // Anonymous types print wherever they are used, and hostile BTF can double that at every level.
    private long _budget = 1000 + (8L * btf.WordCount);

    internal void Rename(int id, string name) => _renamed[id] = name;

    internal string NameOf(int id) => _renamed.TryGetValue(id, out var name) ? name : btf.NameOf(id);

    /// <summary>A declaration of <paramref name="name"/> with this type, without <c>;</c>.</summary>
    internal string Declare(int id, string name, int depth)
    {
        var (decl, quals) = (name, "");
        for (var left = ChainMax; left > 0 && --_budget > 0; left--)
        {
            var kind = btf.KindOf(id);
            switch (kind)
            {
                case BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict:
                    var word = kind switch { BtfKind.Const => "const", BtfKind.Volatile =>
                        "volatile", _ => "restrict" };
                    // "const" on an array and on its elements is one word in C.
                    quals = quals.Contains(word, StringComparison.Ordinal) ? quals : Join(quals, word);
                    id = btf.RefTypeOf(id);
                    break;
                case BtfKind.TypeTag:
                    id = btf.RefTypeOf(id);
                    break;
                case BtfKind.Ptr:
                    var tags = PointeeTags(btf.RefTypeOf(id), out id);
                    decl = Join(tags, Join("*" + quals, decl, glue: quals.Length > 0));
                    quals = "";
                    break;
                case BtfKind.Array:
                    decl = $"{Grouped(decl)}[{btf.ArrayOf(id).Count}]";
                    id = btf.ArrayOf(id).ElemTypeId;
                    break;
                case BtfKind.FuncProto:
                    decl = $"{Grouped(decl)}({Params(id, depth)})";
                    id = btf.RefTypeOf(id);
                    break;
                default:
                    return Join(Join(quals, Specifier(id, depth)), decl);
            }
        }

        return Join("void /* too deep */", decl);
    }

    /// <summary>A struct, union or enum with its body.</summary>
    internal string Body(int id, int depth) => btf.KindOf(id) switch
    {
        BtfKind.Enum or BtfKind.Enum64 => EnumBody(id, depth),
        _ => CompositeBody(id, depth),
    };

    /// <summary>The declaration tags of a type or one of its parts, each with a space before it.</summary>
    internal string DeclTags(int id, int component, string except = "")
    {
        var text = new StringBuilder();
        foreach (var tag in _tags.Value.Find(id, component, "").Where(t => t != except))
        {
            text.Append(' ').Append(tag.Split(':') is ["contains", var type, var node]
                ? $"__contains({type}, {node})"
                : tag.StartsWith("arg:", StringComparison.Ordinal) && CParser.IsArgTag(tag)
                    ? "__arg_" + tag[4..]
                    : $"__attribute__((btf_decl_tag(\"{tag}\")))");
        }

        return text.ToString();
    }

    internal string Params(int protoId, int depth, int funcId = 0)
    {
        var all = new List<string>();

        // Nothing but form was checked: a function may name a type that is no prototype.
        for (int i = 0, n = btf.KindOf(protoId) == BtfKind.FuncProto ? btf.VLenOf(protoId) : 0; i < n
            && --_budget > 0; i++)
        {
            var p = btf.ParamOf(protoId, i);
            all.Add(p.TypeId == 0 && i == n - 1
                ? "..."
                : Declare(p.TypeId, p.Name, depth + 1) + (funcId == 0 ? "" : DeclTags(funcId, i)));
        }

        return all.Count == 0 ? "void" : string.Join(", ", all);
    }

    private string Specifier(int id, int depth)
    {
        var kind = btf.KindOf(id);
        if (btf.IsAnonymous(id) && kind is BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64)
        {
            return depth > NestingMax ? $"{KindWord(id)} {{ /* too deep */ }}" : Body(id, depth);
        }

        return kind == BtfKind.Void ? "void" : Join(KindWord(id), NameOf(id));
    }

    internal string KindWord(int id) => btf.KindOf(id) switch
    {
        BtfKind.Struct => "struct",
        BtfKind.Union => "union",
        BtfKind.Enum or BtfKind.Enum64 => "enum",
        BtfKind.Fwd => btf.KindFlagOf(id) ? "union" : "struct",
        _ => "",
    };

    /// <summary>The tags above a pointee, innermost first, and the pointee itself.</summary>
    private string PointeeTags(int id, out int pointee)
    {
        var tags = new List<string>();
        for (; btf.KindOf(id) == BtfKind.TypeTag && tags.Count < ChainMax; id = btf.RefTypeOf(id))
        {
            var tag = btf.NameOf(id);
            tags.Insert(0, s_macroTags.Contains(tag) ? "__" + tag : $"__attribute__((btf_type_tag(\"{tag}\")))");
        }

        pointee = id;
        return string.Join(' ', tags);
    }

    private string CompositeBody(int id, int depth)
    {
        var shape = _layout.ShapeOf(id);
        var layout = new CLayout(btf.KindOf(id) == BtfKind.Union, shape.IsPacked);
        var indent = new string('\t', depth + 1);
        var text = new StringBuilder(Join(KindWord(id), NameOf(id))).Append(" {\n");
        for (int i = 0, n = btf.VLenOf(id); i < n && --_budget > 0; i++)
        {
            if (btf.KindOf(id) == BtfKind.Struct)
            {
                PadTo(text, indent, layout, btf.MemberBitOffsetOf(id, i), NaturalOffset(layout, id, i));
            }

            _layout.Place(layout, id, i);
            var bits = btf.MemberBitsOf(id, i);
            text.Append(indent).Append(Declare(btf.MemberTypeOf(id, i), btf.MemberNameOf(id, i), depth + 1));
            text.Append(bits > 0 ? $" : {bits}" : "").Append(DeclTags(id, i)).Append(";\n");
        }

        var end = 8L * btf.SizeOf(id);
        PadTo(text, indent, layout, end, 8 * layout.SizeBytes);
        text.Append('\t', depth).Append('}');
        text.Append(shape.IsPacked ? " __attribute__((packed))" : "");
        text.Append(shape.Aligned > 0 ? $" __attribute__((aligned({shape.Aligned})))" : "");
        return text.Append(DeclTags(id, -1)).ToString();
    }

    /// <summary>Where C would put the member now.</summary>
    private long NaturalOffset(CLayout layout, int id, int i) => _layout.Place(layout.Copy(), id, i);

    /// <summary>Fills the gap up to a bit that C would not reach by itself.</summary>
    private static void PadTo(StringBuilder text, string indent, CLayout layout, long target, long natural)
    {
        for (var pads = 0; natural < target && layout.EndBits < target && !layout.IsUnion; pads++)
        {
            if (pads == PadsMax)
            {
                text.Append(indent).Append(CultureInfo.InvariantCulture, $"/* up to bit {target} */\n");
                return;
            }

            var bits = (int)Math.Min(target - layout.EndBits, 64 - (layout.EndBits % 64));
            text.Append(indent).Append(CultureInfo.InvariantCulture, $"long : {bits};\n");
            layout.AddBits(bits, 8, 0, isNamed: false);
        }
    }

    private string EnumBody(int id, int depth)
    {
        var text = new StringBuilder(Join("enum", NameOf(id))).Append(" {\n");
        var isHuge = btf.KindOf(id) == BtfKind.Enum64 && !btf.KindFlagOf(id);
        for (int i = 0, n = btf.VLenOf(id); i < n && --_budget > 0; i++)
        {
            var v = btf.EnumValueOf(id, i);
            text.Append('\t', depth + 1).Append(v.Name).Append(" = ")
                .Append(isHuge && v.Value < 0 ? "0x" : "")
                .Append(v.Value.ToString(isHuge && v.Value < 0 ? "x" : "d", CultureInfo.InvariantCulture))
                .Append(",\n");
        }

        return text.Append('\t', depth).Append('}')
            .Append(btf.SizeOf(id) < 4 ? " __attribute__((packed))" : "").ToString();
    }

    private static string Grouped(string decl) =>
        decl.StartsWith('*')
        || decl.StartsWith("__", StringComparison.Ordinal) && decl.Contains('*', StringComparison.Ordinal)
            ? $"({decl})"
            : decl;

    private static string Join(string left, string right, bool glue = true) =>
        left.Length == 0 || right.Length == 0 || !glue ? left + right : $"{left} {right}";
}
