using FsCheck;
using FsCheck.Fluent;
using Kptr.Btf;

namespace Kptr.Tests.Btf;

/// <summary>
/// Random BTF for properties: any graph of types at all, and declarations that a compiler could have made.
/// </summary>
public static class BtfGen
{
    private static readonly string[] s_names = [
        "", "a", "b", "task_struct", "bpf_spin_lock", "bpf_list_head", "kptr", "größe",
    ];

    /// <summary>Types of every kind whose references may name any type, themselves included.</summary>
    public static Gen<BtfSpec> Any { get; } =
        from seeds in Gen.Choose(0, int.MaxValue).ArrayOf(25)
        select FromSeeds(seeds);

    /// <summary>C structs with random members; what a member refers to stands before it.</summary>
    public static Gen<string> Text { get; } =
        from structs in Gen.Choose(0, 11).ArrayOf(6).ArrayOf(5)
        select string.Concat(structs.Select(Struct));

    private static BtfSpec FromSeeds(int[] seeds)
    {
        var b = new BtfBuilder("any");
        foreach (var seed in seeds)
        {
            AddOne(b, new System.Random(seed), seeds.Length);
        }

        return b.Build();
    }

    private static void AddOne(BtfBuilder b, System.Random r, int count)
    {
        int Id() => r.Next(count + 1);
        string Name() => s_names[r.Next(s_names.Length)];
        IEnumerable<int> Some() => Enumerable.Range(0, r.Next(4));
        _ = (BtfKind)r.Next(1, 20) switch
        {
            BtfKind.Int => b.AddInt(Name(), 1 << r.Next(4), r.Next(2) == 0, isBool: r.Next(2) == 0),
            BtfKind.Ptr => b.AddPtr(Id()),
            BtfKind.Array => b.AddArray(Id(), Id(), r.Next(5)),
            BtfKind.Struct =>
                b.AddStruct(Name(), r.Next(64), [.. Some().Select(i => new BtfMember(Name(), Id(), 8 * i, 0))]),
            BtfKind.Union =>
                b.AddUnion(Name(), r.Next(64), [.. Some().Select(i => new BtfMember(Name(), Id(), i, r.Next(9)))]),
            BtfKind.Enum =>
                b.AddEnum(Name(), 4, true, [.. Some().Select(i => new BtfEnumValue(Name(), r.Next() - (1 << 30)))]),
            BtfKind.Fwd => b.AddFwd(Name(), r.Next(2) == 0),
            BtfKind.Typedef => b.AddTypedef(Name(), Id()),
            BtfKind.Volatile => b.AddVolatile(Id()),
            BtfKind.Const => b.AddConst(Id()),
            BtfKind.Restrict => b.AddRestrict(Id()),
            BtfKind.Func => b.AddFunc(Name(), Id(), r.Next(3)),
            BtfKind.FuncProto => b.AddFuncProto(Id(), [.. Some().Select(i => new BtfParam(Name(), Id()))]),
            BtfKind.Var => b.AddVar(Name(), Id(), r.Next(3)),
            BtfKind.DataSec => b.AddDataSec(Name(), 64, [.. Some().Select(i => new BtfVarSecInfo(Id(), 8 * i, 8))]),
            BtfKind.Float => b.AddFloat(Name(), 8),
            BtfKind.DeclTag => b.AddDeclTag(Name(), Id(), r.Next(3) - 1),
            BtfKind.TypeTag => b.AddTypeTag(Name(), Id()),
            _ => b.AddEnum64(Name(), 8, true, [.. Some().Select(i => new BtfEnumValue(Name(), r.NextInt64()))]),
        };
    }

    private static string Struct(int[] picks, int index)
    {
        var inner = index == 0 ? "int" : $"struct s{index - 1}";
        var members = picks.Select((pick, i) => pick switch
        {
            0 => $"char m{i};",
            1 => $"u16 m{i} : {3 + i};",
            2 => $"u64 m{i} : {30 + i};",
            3 => $"{inner} m{i}[{i}];",
            4 => $"{inner} *m{i};",
            5 => $"struct {{ u8 m{i}; long n{i}; }};",
            6 => $"union {{ {inner} m{i}; u32 n{i}; }};",
            7 => $"int (*m{i})(struct s{index} *, const char *);",
            8 => $"struct task_struct __kptr *m{i};",
            9 => $"struct {{ char m{i}; u32 n{i}; }} __attribute__((packed)) o{i};",
            10 => $"enum {{ E{index}_{i}, F{index}_{i} = {i} }} m{i};",
            _ => $"const volatile {inner} m{i};",
        });
        var packed = picks[0] == 11 ? " __attribute__((packed))" : "";
        return $"struct s{index} {{ {string.Join(' ', members)} }}{packed};\n";
    }
}
