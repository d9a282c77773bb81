using Kptr.Btf;
using Kptr.Diagnostics;
using static Kptr.Tests.Btf.BtfRecordSamples;

namespace Kptr.Tests.Btf;

/// <summary>Lists and trees among special fields: what their nodes must be, and who may own whom.</summary>
public class BtfRootRuleTests
{
    [Theory]
    [InlineData("struct bpf_list_head h __contains(n, l);", "struct n { struct bpf_list_node l; };",
        "a lock beside it")]
    [InlineData("struct bpf_rb_root r __contains(n, l);", "struct n { struct bpf_rb_node l; };", "a lock beside it")]
    [InlineData("struct bpf_spin_lock k; struct bpf_rb_root r __contains(n, l);",
        "struct n { struct bpf_list_node l; };", "not one well placed struct bpf_rb_node")]
    [InlineData("struct bpf_spin_lock k; struct bpf_list_head h __contains(n, l);",
        "struct n { struct bpf_rb_node l; };", "not one well placed struct bpf_list_node")]
    [InlineData("struct bpf_spin_lock k; struct bpf_list_head h __contains(n, l);",
        "struct n { char c; struct bpf_list_node l; } __attribute__((packed));", "not one well placed")]
    [InlineData("struct bpf_spin_lock k; struct bpf_list_head h __contains(n, l) __contains(n, m);",
        "struct n { struct bpf_list_node l; };", "exactly one __contains")]
    [InlineData("struct bpf_spin_lock k; struct bpf_list_head h __attribute__((btf_decl_tag(\"contains:n\")));",
        "struct n { struct bpf_list_node l; };", "exactly one __contains")]
    [InlineData("struct bpf_spin_lock k; struct bpf_list_head h __attribute__((btf_decl_tag(\"contains:n:\")));",
        "struct n { struct bpf_list_node l; };", "does not name the node's field")]
    [InlineData("struct bpf_spin_lock k; struct bpf_list_head h __attribute__((btf_decl_tag(\"other:n:l\")));",
        "struct n { struct bpf_list_node l; };", "exactly one __contains")]
    public void Root_ThatIsNotWhole_IsEINVAL(string members, string node, string words)
    {
        var result = Read("6.12", $"{node} struct v {{ {members} }};");
        result.Error.Should().Be(Errno.EINVAL, result.Message);
        result.Message.Should().Contain(words);
    }

    [Fact]
    public void Roots_OfListAndTree_KnowTheirNodesPlaces()
    {
        var result = Read("7.2", """
            struct n { long pad; struct bpf_list_node l; struct bpf_rb_node r; struct bpf_refcount c; };
            struct v { struct bpf_res_spin_lock k; struct bpf_list_head h __contains(n, l); struct bpf_rb_root r __contains(n, r); };
            """);
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Fields.Select(f => (f.Kind, f.NodeOffsetBytes, f.SizeBytes)).Should().Equal(
            (BtfFieldKind.ResSpinLock, 0, 4), (BtfFieldKind.ListHead, 8, 16), (BtfFieldKind.RbRoot, 32, 16));
        result.Record.Fields[1].Inner.Should().BeSameAs(result.Record.Fields[2].Inner);
        result.Record.Fields[1].Inner!.Fields.Select(f => (f.Kind, f.OffsetBytes, f.SizeBytes)).Should().Equal(
            (BtfFieldKind.ListNode, 8, 24), (BtfFieldKind.RbNode, 32, 32), (BtfFieldKind.Refcount, 64, 4));
    }

    [Theory]
    [InlineData("6.12", Errno.None)]
    [InlineData("6.2", Errno.ELOOP)]
    public void NodeWithARoot_OfATypeWithARoot_IsRefusedByTheOlderRule(string kernel, Errno expected)
    {
        var nodeBytes = kernel == "6.2" ? 2 : 3;
        var text = Prelude.Replace("struct bpf_list_node { u64 __opaque[3]; }",
            $"struct bpf_list_node {{ u64 __opaque[{nodeBytes}]; }}", StringComparison.Ordinal)
            + """
            struct c { struct bpf_list_node n; };
            struct b { struct bpf_list_node n; struct bpf_spin_lock l; struct bpf_list_head h __contains(c, n); };
            struct a { struct bpf_list_node n; struct bpf_spin_lock l; struct bpf_list_head h __contains(b, n); };
            """;
        var load = Reader(CDeclParser.Parse(text, "t"), kernel).Load;
        load.Error.Should().Be(expected);
        load.Message.Should().Be(
            expected == Errno.None ? "" : "'h': a node with a root owns a type with a root");
    }

    [Theory]
    [InlineData("struct w { struct bpf_spin_lock l; };", "6.12", BtfFieldKind.SpinLock)]
    [InlineData("struct w { struct bpf_list_node n; };", "6.12", BtfFieldKind.ListNode)]
    [InlineData("struct w { struct bpf_rb_node n; };", "6.12", BtfFieldKind.RbNode)]
    [InlineData("struct w { struct bpf_refcount c; };", "6.12", BtfFieldKind.Refcount)]
    [InlineData("struct w { struct bpf_list_node n, m; };", "6.12", BtfFieldKind.ListNode)]
    [InlineData("struct w { struct bpf_spin_lock l; struct bpf_timer t; struct bpf_wq q; };", "6.12",
        BtfFieldKind.SpinLock)]
    [InlineData("struct w { struct bpf_spin_lock l; struct other __uptr *u; struct bpf_task_work t; };", "7.2",
        BtfFieldKind.SpinLock)]
    [InlineData("struct w { struct bpf_spin_lock l; struct task_struct __kptr *t; };", "6.2", BtfFieldKind.SpinLock)]
    [InlineData("struct w { struct bpf_spin_lock l; };", "6.1", null)]
    [InlineData("struct w { struct task_struct __rcu *p; };", "6.12", null)]
    [InlineData("struct w { struct bpf_timer t; };", "6.12", null)]
    [InlineData("struct w { struct other __kptr *o; };", "6.12", BtfFieldKind.KptrRef)]
    [InlineData("struct w { struct other __percpu_kptr *o; };", "6.12", BtfFieldKind.KptrPercpu)]
    [InlineData("struct w { struct other __uptr *o; };", "7.2", null)]
    [InlineData("struct w { struct bpf_task_work t; };", "7.2", null)]
    [InlineData("struct w { struct bpf_res_spin_lock t; };", "7.2", BtfFieldKind.ResSpinLock)]
    [InlineData("struct w { struct bpf_res_spin_lock t; };", "6.12", null)]
    [InlineData("struct w { struct bpf_rb_node t; };", "6.2", null)]
    [InlineData("struct w { struct task_struct __attribute__((btf_type_tag(\"kptr_ref\"))) *t; };", "6.2", null)]
    public void StructRecord_HoldsWhatAnAllocatedObjectMay(string text, string kernel, BtfFieldKind? expected)
    {
        var btf = CDeclParser.Parse(Prelude + text, "t");
        var reader = Reader(btf, kernel);
        reader.Load.IsOk.Should().BeTrue(reader.Load.Message);
        reader.StructRecord(btf.FindId("w", BtfKind.Struct))?.Kinds.Should().Be(expected);
        (reader.StructRecord(btf.FindId("w", BtfKind.Struct)) is null).Should().Be(expected is null);
    }

    [Theory]
    [InlineData("n2:l", "'h' contains the unknown struct n2")]
    [InlineData(":l", "'h' contains the unknown struct ")]
    [InlineData("n:m", "'h': struct n has no field m")]
    public void Root_OfWhatIsNotThere_IsENOENT(string contains, string words)
    {
        var result = Read("6.12", $$"""
            struct n { struct bpf_list_node l; };
            struct v {
                struct bpf_spin_lock k;
                struct bpf_list_head h __attribute__((btf_decl_tag("contains:{{contains}}")));
            };
            """);
        (result.Error, result.Message).Should().Be((Errno.ENOENT, words));
    }

    [Fact]
    public void Root_OfANodeWithTwoFieldsOfTheName_IsEINVAL()
    {
        var b = new BtfBuilder("t");
        var node = b.AddStruct("bpf_list_node", 24, []);
        var twice = b.AddStruct("n", 48, [new("l", node, 0, 0), new("l", node, 24 * 8, 0)]);
        var head = b.AddStruct("bpf_list_head", 16, []);
        var spin = b.AddStruct("bpf_spin_lock", 4, []);
        var v = b.AddStruct("v", 24, [new("k", spin, 0, 0), new("h", head, 64, 0)]);
        b.AddDeclTag("contains:n:l", v, 1);
        twice.Should().BePositive();
        Reader(b.Build(), "6.12").ReadMapValue(v, 24).Message.Should().Be(
            "'h': n.l is not one well placed struct bpf_list_node");
    }

    /// <summary>A BTF may hold two types of one name; records go by the first, roots by the name.</summary>
    [Fact]
    public void Root_OfANodeThatHasNoRecord_IsEFAULT()
    {
        var b = new BtfBuilder("t");
        var head = b.AddStruct("bpf_list_head", 16, []);
        var spin = b.AddStruct("bpf_spin_lock", 4, []);
        b.AddStruct("bpf_list_node", 24, []);
        b.AddStruct("n", 24, [new("l", b.AddStruct("bpf_list_node", 24, []), 0, 0)]);
        var v = b.AddStruct("v", 24, [new("k", spin, 0, 0), new("h", head, 64, 0)]);
        b.AddDeclTag("contains:n:l", v, 1);
        var reader = Reader(b.Build(), "6.12");
        var value = reader.ReadMapValue(v, 24);

        (reader.Load.Error, reader.Load.Message).Should().Be((Errno.EFAULT, "'h': struct n has no record"));
        (value.Error, value.Message).Should().Be((Errno.EFAULT, "'h': struct n has no record"));
        BtfRecordReader.RefusesMap(value).Should().BeTrue();
    }

    [Theory]
    [InlineData("struct a { struct bpf_list_node l; struct bpf_rb_node r; };", "a node of both a list and a tree*")]
    [InlineData("struct a { struct bpf_list_head h; };", "'h' needs exactly one __contains*")]
    [InlineData("struct a { struct bpf_rb_root r; };", "'r' needs exactly one __contains*")]
    [InlineData("struct a { char c; struct bpf_refcount r; } __attribute__((packed));", "struct a has misplaced*")]
    [InlineData("struct a { struct b __kptr *b; }; struct b { struct a __kptr *a; };", "types own each other*(b)")]
    public void Load_OfABadStruct_SaysWhy(string text, string words) =>
        Reader(CDeclParser.Parse(Prelude + text, "t"), "6.12").Load.Message.Should().Match(words);

    /// <summary>How long a chain is must not depend on which of its types is met first, or on side branches.</summary>
    [Theory]
    [InlineData(8, Errno.None)]
    [InlineData(9, Errno.ELOOP)]
    public void OwnershipChain_DeclaredFromItsEnd_IsAsLong(int length, Errno expected)
    {
        var text = "struct leaf { struct task_struct __kptr *t; }; struct s0 { struct task_struct __kptr *t; };";
        for (var i = 1; i < length; i++)
        {
            text += $"struct s{i} {{ struct s{i - 1} __kptr *p; struct leaf __kptr *q; }};";
        }

        Reader(CDeclParser.Parse(Prelude + text, "t"), "6.12").Load.Error.Should().Be(expected);
    }
}
