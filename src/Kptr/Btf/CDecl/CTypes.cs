namespace Kptr.Btf.CDecl;

/// <summary>
/// The derived and built-in types of one parse: equal pointers, qualifiers, arrays and integers are added once.
/// </summary>
internal sealed class CTypes(BtfBuilder builder)
{
    /// <summary>
    /// Integer types by their C spelling with sorted words; the name is the one the kernel's BTF has.
    /// </summary>
    private static readonly Dictionary<string, (string Name, int Size, bool Signed)> s_ints = new()
    {
        ["char"] = ("char", 1, true),
        ["char signed"] = ("signed char", 1, true),
        ["char unsigned"] = ("unsigned char", 1, false),
        ["short"] = ("short int", 2, true),
        ["short unsigned"] = ("short unsigned int", 2, false),
        ["int"] = ("int", 4, true),
        ["unsigned"] = ("unsigned int", 4, false),
        ["long"] = ("long int", 8, true),
        ["long unsigned"] = ("long unsigned int", 8, false),
        ["long long"] = ("long long int", 8, true),
        ["long long unsigned"] = ("long long unsigned int", 8, false),
        ["__int128"] = ("__int128", 16, true),
        ["__int128 unsigned"] = ("__int128 unsigned", 16, false),
    };

    /// <summary>Typedefs that every kernel declaration takes for granted.</summary>
    private static readonly Dictionary<string, string> s_commonTypedefs = new()
    {
        ["__s8"] = "char signed", ["__u8"] = "char unsigned", ["__s16"] = "short", ["__u16"] = "short unsigned",
        ["__s32"] = "int", ["__u32"] = "unsigned", ["__s64"] = "long long", ["__u64"] = "long long unsigned",
        ["s8"] = "__s8", ["u8"] = "__u8", ["s16"] = "__s16", ["u16"] = "__u16",
        ["s32"] = "__s32", ["u32"] = "__u32", ["s64"] = "__s64", ["u64"] = "__u64",
        ["__be16"] = "__u16", ["__be32"] = "__u32", ["__be64"] = "__u64", ["__wsum"] = "__u32",
        ["__kernel_size_t"] = "long unsigned", ["__kernel_ssize_t"] = "long", ["size_t"] = "__kernel_size_t",
        ["ssize_t"] = "__kernel_ssize_t", ["bool"] = "_Bool",
    };

    private readonly Dictionary<(BtfKind Kind, int A, int B, string Name), int> _known = [];

    internal int Ptr(int id) => Once(BtfKind.Ptr, id, () => builder.AddPtr(id));

    internal int Const(int id) => Once(BtfKind.Const, id, () => builder.AddConst(id));

    internal int Volatile(int id) => Once(BtfKind.Volatile, id, () => builder.AddVolatile(id));

    internal int Restrict(int id) => Once(BtfKind.Restrict, id, () => builder.AddRestrict(id));

    internal int TypeTag(string tag, int id) => Once(BtfKind.TypeTag, id, () => builder.AddTypeTag(tag, id), name: tag);

    internal int Array(int elem, int count)
    {
        var index = Int("__ARRAY_SIZE_TYPE__", 4, false);
        return Once(BtfKind.Array, elem, () => builder.AddArray(elem, index, count), count);
    }

    /// <summary>The type of a set of basic type words, or -1 where C has no such type.</summary>
    internal int Basic(List<string> words)
    {
        words = Normalize(words);
        var key = string.Join(' ', words);
        if (s_ints.TryGetValue(key, out var spec))
        {
            return Int(spec.Name, spec.Size, spec.Signed);
        }

        return key switch
        {
            "void" => 0,
            "_Bool" => Base("_Bool", BtfKind.Int) is var id and not 0
                ? id
                : Once(BtfKind.Int, 1, () => builder.AddInt("_Bool", 1, isBool: true), name: "_Bool"),
            "float" => Float("float", 4),
            "double" => Float("double", 8),
            "double long" => Float("long double", 16),
            _ => -1,
        };
    }

    /// <summary>Whether a name is one of the kernel's everyday typedefs (<c>u64</c>, <c>bool</c>).</summary>
    internal static bool IsCommonTypedef(string name) => s_commonTypedefs.ContainsKey(name);

    /// <summary>Adds one of the kernel's everyday typedefs with what it stands on.</summary>
    internal int CommonTypedef(string name, Func<string, int> findTypedef)
    {
        var target = s_commonTypedefs[name];
        var id = IsCommonTypedef(target) ? findTypedef(target) : Basic([.. target.Split(' ')]);
        return builder.AddTypedef(name, id);
    }

    /// <summary>Size in bytes and alignment of a complete type, or -1 for both where it has none.</summary>
    internal (long Size, int Align) Layout(int id, Func<int, int> alignOfComposite)
    {
        long times = 1;
        for (var depth = 0; depth < 256; depth++)
        {
            switch (builder.KindOf(id))
            {
                case BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag:
                    id = builder.RefOf(id);
                    continue;
                case BtfKind.Array:
                    times = Math.Min(times * builder.ArrayOf(id).Count, 1L << 40);
                    id = builder.ArrayOf(id).ElemTypeId;
                    continue;
                case BtfKind.Ptr:
                    return (8 * times, 8);
                case BtfKind.Int or BtfKind.Float or BtfKind.Enum or BtfKind.Enum64:
                    var size = builder.SizeWordOf(id);
                    return (size * times, size);
                case BtfKind.Struct or BtfKind.Union:
                    return (builder.SizeWordOf(id) * times, alignOfComposite(id));
                default:
                    return (-1, -1);
            }
        }

        return (-1, -1);
    }

    private static List<string> Normalize(List<string> words)
    {
        var sorted = words.Order(StringComparer.Ordinal).ToList();
        if (sorted.Count > 1 && !sorted.Contains("double"))
        {
            var others = sorted.Exists(w => w is "short" or "long" or "unsigned" or "signed");
            if (others)
            {
                sorted.Remove("int");
            }

            if (!sorted.Contains("char"))
            {
                sorted.Remove("signed");
            }
        }

        return sorted is ["signed"] ? ["int"] : sorted;
    }

    private int Int(string name, int size, bool signed) => Base(name, BtfKind.Int) is var id and not 0
        ? id
        : Once(BtfKind.Int, size, () => builder.AddInt(name, size, signed), name: name);

    private int Float(string name, int size) => Base(name, BtfKind.Float) is var id and not 0
        ? id
        : Once(BtfKind.Float, size, () => builder.AddFloat(name, size), name: name);

    private int Base(string name, BtfKind kind) => builder.Base?.FindId(name, kind) ?? 0;

    private int Once(BtfKind kind, int a, Func<int> add, int b = 0, string name = "")
    {
        if (!_known.TryGetValue((kind, a, b, name), out var id))
        {
            _known[(kind, a, b, name)] = id = add();
        }

        return id;
    }
}
