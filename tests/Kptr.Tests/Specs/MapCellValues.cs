using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>A value with special fields and types for keys, in a BTF of its own, as <c>cells/values.py</c> makes
/// them.</summary>
internal sealed class MapCellValues
{
    /// <summary>How many of them, the first, have one field.</summary>
    public const int Alone = 13;

    private const string Types = """
        struct bpf_spin_lock { int a; }; struct bpf_timer { long a[2]; }; struct bpf_wq { long a[2]; };
        struct bpf_list_head { long a[2]; }; struct bpf_rb_root { long a[2]; }; struct bpf_refcount { int a; };
        struct bpf_list_node { long a[3]; }; struct bpf_rb_node { long a[4]; }; struct task_struct { int pid; };
        struct elem { struct bpf_list_node l; struct bpf_rb_node r; struct bpf_refcount c; long x; };
        struct key4 { int a; }; struct key8 { int prefixlen; unsigned char data[4]; };
        struct bpf_cgroup_storage_key { long inode; int type; }; enum e { A };
        struct keys { int k0; unsigned int k1; long long k2; char k3; struct key4 k4; struct key8 k5;
            struct bpf_cgroup_storage_key k6; enum e k7; short k8; _Bool k9; };
        """;

    private static readonly string[] s_fields =
    [
        "struct bpf_spin_lock %", "struct bpf_timer %", "struct bpf_wq %",
        "struct task_struct __attribute__((btf_type_tag(\"kptr\"))) *%",
        "struct task_struct __attribute__((btf_type_tag(\"kptr_untrusted\"))) *%",
        "struct elem __attribute__((btf_type_tag(\"kptr\"))) *%",
        "struct elem __attribute__((btf_type_tag(\"percpu_kptr\"))) *%",
        "struct bpf_list_head % __attribute__((btf_decl_tag(\"contains:elem:l\")))",
        "struct bpf_rb_root % __attribute__((btf_decl_tag(\"contains:elem:r\")))",
        "struct bpf_refcount %", "struct bpf_list_node %", "struct bpf_rb_node %", "long %",
    ];

    private readonly BtfSpec _btf;
    private readonly BtfRecordReader _reader;
    private readonly int _value;
    private readonly int[] _keys;

    private MapCellValues(string members, KernelProfile profile)
    {
        var kernel = BuiltinKernel.Spec(profile);
        _btf = CDeclParser.Parse($"{Types}\nstruct v {{ {members}; }};", "values");
        _reader = new(_btf, kernel.Types, kernel.Dtors.GetValueOrDefault, kernel.Profile.RecordRules);
        _value = _btf.FindId("v", BtfKind.Struct);
        var keys = _btf[_btf.FindId("keys", BtfKind.Struct)];
        _keys = [.. Enumerable.Range(0, keys.VLen).Select(i => keys.Member(i).TypeId)];
    }

    public static List<MapCellValues> All(KernelProfile profile) =>
        [.. Members().Select(m => new MapCellValues(m, profile))];

    private static IEnumerable<string> Members() =>
    [
        .. s_fields.Select(f => Named(f, "a")),
        .. from f in s_fields from g in s_fields select $"{Named(f, "a")}; {Named(g, "b")}",
        .. from root in s_fields[7..9]
            from f in s_fields
            select $"{Named(s_fields[0], "a")}; {Named(root, "b")}; {Named(f, "c")}",
        .. s_fields.Select(f => Named(f, "a[2]")),
        .. s_fields.Select(f => $"struct {{ {Named(f, "a")}; }} n"),
    ];

    /// <summary>The map with such a value; null where the kernel refuses the BTF.</summary>
    public MapSpec? In(MapSpec map) => _reader.Load.IsOk ? With(map with
    {
        ValueSize = _btf.ResolveSize(_value),
        ValueTypeId = _value,
        KeyTypeId = map.KeySize == 0 ? 0 : _keys[map.Type == BpfMapType.LpmTrie ? 5 : map.KeySize == 8 ? 2 : 0],
    }) : null;

    /// <summary>The map with integers as key and value.</summary>
    public MapSpec WithInts(MapSpec map) => With(map with { KeyTypeId = _keys[0], ValueTypeId = _keys[0] });

    /// <summary>The map with no key type and each, with its size and the map's own, and each as value.</summary>
    public IEnumerable<MapSpec> WithTypes(MapSpec map) =>
        from k in Enumerable.Range(-1, _keys.Length + 1)
        from v in _keys
        from own in Enumerable.Range(0, 4)
        select With(map with
        {
            KeyTypeId = k < 0 ? 0 : _keys[k],
            KeySize = k < 0 || (own & 1) != 0 ? map.KeySize : _btf.ResolveSize(_keys[k]),
            ValueTypeId = v,
            ValueSize = (own & 2) != 0 ? map.ValueSize : _btf.ResolveSize(v),
        });

    private static string Named(string field, string name) => field.Replace("%", name, StringComparison.Ordinal);

    private MapSpec With(MapSpec map) =>
        map with { Btf = _btf, Record = _reader.ReadMapValue(map.ValueTypeId, map.ValueSize).Record };
}
