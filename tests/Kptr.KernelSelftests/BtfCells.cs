using System.Globalization;
using Kptr.Btf;

namespace Kptr.KernelSelftests;

/// <summary>
/// A BTF with every kind of type and special field, and mutants of it in which one to three words are changed. A real
/// kernel says which of them it takes (<c>cells/btfs.c</c>), and a test holds the library against its answers.
/// </summary>
/// <remarks>
/// The number of a mutant decides what it is, so that a table of answers needs no bytes beside it. Structs have names
/// that no kernel struct has, nor its end: what a kptr points to is looked up in the kernel first.
/// </remarks>
public static class BtfCells
{
    /// <summary>Mutants from this number on have large sizes, counts and places.</summary>
    public const int FirstLarge = 1_000_000;

    private static readonly BtfSpec s_whole = Whole();
    private static readonly byte[] s_bytes = s_whole.ToBytes();

    /// <summary>Writes the mutants <c>--seed N</c> to N + <c>--copies N</c> for <c>cells/btfs.c</c> to <c>--to
    /// FILE</c>.</summary>
    public static int Run(Options options)
    {
        var first = int.Parse(options["seed"] ?? "0", CultureInfo.InvariantCulture);
        var count = int.Parse(options["copies"] ?? "6000", CultureInfo.InvariantCulture);
        using var file = new BinaryWriter(File.Create(options["to"]!));
        file.Write(count);
        for (var i = 0; i < count; i++)
        {
            var bytes = Mutant(first + i);
            file.Write(bytes.Length);
            file.Write(bytes);
        }

        Console.WriteLine($"{count} mutants of a BTF of {s_whole.TypeCount} types, {Hash():x8}");
        return 0;
    }

    /// <summary>The bytes of a mutant; number 0 is the BTF itself.</summary>
    public static byte[] Mutant(int number)
    {
        var bytes = s_bytes.ToArray();
        var random = new Random(number);
        if (number >= FirstLarge)
        {
            BtfMutants.Enlarge(bytes, s_whole, random);
            return bytes;
        }

        for (var changes = number == 0 ? 0 : 1 + (random.Next(10) / 7) + (random.Next(10) / 9); changes > 0; changes--)
        {
            BtfMutants.Change(bytes, s_whole, random);
        }

        return bytes;
    }

    /// <summary>Tells whether the mutants are still those that the kernel was asked about.</summary>
    public static uint Hash()
    {
        var hash = 2166136261u;
        foreach (var b in s_bytes)
        {
            hash = unchecked((hash ^ b) * 16777619);
        }

        return hash;
    }

    private static BtfSpec Whole()
    {
        var btf = new BtfBuilder("cells");
        var (i32, u8) = (btf.AddInt("int", 4, isSigned: true), btf.AddInt("unsigned char", 1, isChar: true));
        var (u16, u32) = (btf.AddInt("u16", 2), btf.AddInt("u32", 4));
        var (u64, i128) = (btf.AddInt("u64", 8), btf.AddInt("__int128", 16, isSigned: true));
        var flag = btf.AddInt("_Bool", 1, isBool: true);
        AddPlain(btf, i32, u8, u16, u32, u64, i128, flag);
        AddFuncs(btf, i32, u32, u64);
        AddSpecial(btf, i32, u32, u64);
        return btf.Build();
    }

    private static void AddPlain(BtfBuilder btf, int i32, int u8, int u16, int u32, int u64, int i128, int flag)
    {
        var (f32, f64) = (btf.AddFloat("float", 4), btf.AddFloat("double", 8));
        var constChar = btf.AddConst(u8);
        var text = btf.AddPtr(constChar);
        var name = btf.AddArray(u8, u32, 16);
        var matrix = btf.AddArray(btf.AddArray(u32, u32, 3), u32, 2);
        var color = btf.AddEnum("color", 4, false, [new("RED", 0), new("GREEN", 1)]);
        var sign = btf.AddEnum("sign", 4, true, [new("NEGATIVE", -1), new("POSITIVE", 1)]);
        var wide = btf.AddEnum64("wide", 8, false, [new("LOW", 1), new("HIGH", 1L << 40)]);
        var (none, other) = (btf.AddFwd("opaque"), btf.AddFwd("opaque_union", isUnion: true));
        var node = btf.NextId + 1;
        var next = btf.AddPtr(node);
        btf.AddStruct("nodeq", 16, [new("next", next, 0, 0), new("value", u64, 64, 0)]);
        var inner = btf.AddStruct("innerq", 8, [new("a", u16, 0, 0), new("b", u8, 16, 0), new("c", i32, 32, 0)]);
        var either = btf.AddUnion(
            "either", 8, [new("whole", u64, 0, 0), new("half", u32, 0, 0), new("in", inner, 0, 0)]);
        var bits = btf.AddStruct("bitsq", 8, [new("x", u32, 0, 3), new("y", i32, 3, 5), new("e", color, 8, 2),
            new("z", u32, 32, 0)]);
        var byTypedef = btf.AddTypedef("node_tq", btf.AddTypedef("node_aliasq", node));
        var quick = btf.AddVolatile(btf.AddConst(u64));
        btf.AddRestrict(btf.AddPtr(none));
        btf.AddPtr(other);
        btf.AddPtr(btf.AddPtr(0));
        var all = btf.AddStruct("allq", 184, [new("text", text, 0, 0), new("name", name, 64, 0),
            new("matrix", matrix, 192, 0), new("color", color, 384, 0), new("sign", sign, 416, 0),
            new("wide", wide, 448, 0), new("list", byTypedef, 512, 0), new("either", either, 640, 0),
            new("bits", bits, 704, 0), new("f", f32, 768, 0), new("flag", flag, 800, 0), new("d", f64, 832, 0),
            new("big", i128, 896, 0), new("quick", quick, 1024, 0), new("", either, 1088, 0),
            new("tail", btf.AddArray(inner, u32, 4), 1152, 0), new("last", u64, 1408, 0)]);
        btf.AddDeclTag("marked", all);
        btf.AddDeclTag("member", all, 2);
        btf.AddDeclTag("alias", byTypedef);
        var counter = btf.AddVar("counter", u64);
        var table = btf.AddVar("table", matrix, 0);
        var pointer = btf.AddVar("pointer", next);
        btf.AddDeclTag("var", counter);
        btf.AddDataSec(".data", 48, [new(counter, 0, 8), new(table, 8, 24), new(pointer, 32, 16)]);
        btf.AddDataSec("maps.custom", 8, [new(btf.AddVar("one", u64), 0, 8)]);
    }

    private static void AddFuncs(BtfBuilder btf, int i32, int u32, int u64)
    {
        var ctx = btf.AddPtr(btf.AddFwd("__sk_buff"));
        var callback = btf.AddPtr(btf.AddFuncProto(u64, [new("", u32), new("", ctx)]));
        var plain = btf.AddFunc("plain", btf.AddFuncProto(i32, [new("ctx", ctx)]), 1);
        var helper = btf.AddFunc("helper", btf.AddFuncProto(0, [new("fn", callback), new("len", u64)]));
        btf.AddFunc("variadic", btf.AddFuncProto(i32, [new("format", ctx), new("", 0)]), 1);
        btf.AddDeclTag("arg:ctx", plain, 0);
        btf.AddDeclTag("function", helper);
        var other = btf.AddFunc("bpf_kfunc", btf.AddFuncProto(ctx, []), 1);
        btf.AddDataSec(".ksyms", 4, [new(btf.AddVar("dummy", i32), 0, 4)]);
        btf.AddDeclTag("bpf_fastcall", other);
    }

    private static void AddSpecial(BtfBuilder btf, int i32, int u32, int u64)
    {
        var @lock = btf.AddStruct("bpf_spin_lock", 4, [new("val", u32, 0, 0)]);
        var head = btf.AddStruct("bpf_list_head", 16, [new("", btf.AddArray(u64, u32, 2), 0, 0)]);
        var link = btf.AddStruct("bpf_list_node", 24, [new("", btf.AddArray(u64, u32, 3), 0, 0)]);
        var root = btf.AddStruct("bpf_rb_root", 16, [new("", btf.AddArray(u64, u32, 2), 0, 0)]);
        var leaf = btf.AddStruct("bpf_rb_node", 32, [new("", btf.AddArray(u64, u32, 4), 0, 0)]);
        var count = btf.AddStruct("bpf_refcount", 4, [new("", btf.AddArray(u32, u32, 1), 0, 0)]);
        var timer = btf.AddStruct("bpf_timer", 16, [new("", btf.AddArray(u64, u32, 2), 0, 0)]);
        var task = btf.AddStruct("task_struct", 4, [new("pid", i32, 0, 0)]);
        var owned = btf.AddPtr(btf.AddTypeTag("kptr", task));
        var loose = btf.AddPtr(btf.AddTypeTag("kptr_untrusted", task));
        var item = btf.AddStruct("itemq", 72, [new("link", link, 0, 0), new("leaf", leaf, 192, 0),
            new("count", count, 448, 0), new("data", u64, 512, 0)]);
        var mine = btf.AddPtr(btf.AddTypeTag("kptr", item));
        var perCpu = btf.AddPtr(btf.AddTypeTag("percpu_kptr", btf.AddStruct("cpuq", 8, [new("n", u64, 0, 0)])));
        var graph = btf.AddStruct("graphq", 40, [new("lock", @lock, 0, 0), new("list", head, 64, 0),
            new("tree", root, 192, 0)]);
        btf.AddDeclTag("contains:itemq:link", graph, 1);
        btf.AddDeclTag("contains:itemq:leaf", graph, 2);
        btf.AddStruct("valueq", 40, [new("lock", @lock, 0, 0), new("owned", owned, 64, 0), new("loose", loose, 128, 0),
            new("mine", mine, 192, 0), new("cpu", perCpu, 256, 0)]);
        btf.AddStruct("timedq", 24, [new("timer", timer, 0, 0), new("owned", owned, 128, 0)]);
        var user = btf.AddPtr(btf.AddTypeTag("user", btf.AddConst(i32)));
        btf.AddStruct("taggedq", 8, [new("user", user, 0, 0)]);
    }
}
