using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Tests.Btf;

public class BtfRecordReaderTests
{
    private const string Prelude = BtfSamples.SpecialTypes +
        """
        struct bpf_wq { u64 __opaque[2]; } __attribute__((aligned(8)));
        struct task_struct { int pid; };
        struct file { int fd; };

        """;

    private static readonly KernelTypes s_kernel = new(
        CDeclParser.Parse("struct task_struct { int pid; int tgid; }; struct file { int f; };", "vmlinux"));

    [Fact]
    public void MapValue_WithKptrs_NamesPointeeAndDestructor()
    {
        var result = Read(
            "struct v { u64 n; struct task_struct __kptr *t; struct file __kptr_untrusted *f; struct mine __kptr *m; };"
            + "struct mine { int x; };");
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Fields.Select(f => (f.Kind, f.OffsetBytes, f.SizeBytes, f.Name)).Should().Equal(
            (BtfFieldKind.KptrRef, 8, 8, "t"), (BtfFieldKind.KptrUnref, 16, 8, "f"),
            (BtfFieldKind.KptrRef, 24, 8, "m"));
        var (t, m) = (result.Record.Fields[0], result.Record.Fields[2]);
        t.Dtor.Should().Be("bpf_task_release");
        t.IsLocalPointee.Should().BeFalse();
        t.Pointee.Btf.Should().BeSameAs(s_kernel.Vmlinux);
        m.Dtor.Should().BeNull();
        m.IsLocalPointee.Should().BeTrue();
        m.Pointee.Name.Should().Be("mine");
    }

    [Fact]
    public void MapValue_OfEveryKind_IsFoundAtItsOffset()
    {
        var result = Read(
            """
            struct node { struct bpf_list_node l; struct bpf_rb_node r; struct bpf_refcount ref; };
            struct v {
                struct bpf_spin_lock lock; struct bpf_timer timer; struct bpf_wq wq; struct bpf_refcount count;
                struct bpf_list_head head __contains(node, l);
                struct bpf_rb_root root __contains(node, r);
                struct mine __percpu_kptr *pc;
            };
            struct mine { int x; };
            """);
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Fields.Select(f => (f.Kind, f.OffsetBytes)).Should().Equal(
            (BtfFieldKind.SpinLock, 0), (BtfFieldKind.Timer, 8), (BtfFieldKind.Workqueue, 24),
            (BtfFieldKind.Refcount, 40),
            (BtfFieldKind.ListHead, 48), (BtfFieldKind.RbRoot, 64), (BtfFieldKind.KptrPercpu, 80));
        var root = result.Record.Fields[5];
        root.NodeType.Name.Should().Be("node");
        root.NodeOffsetBytes.Should().Be(24);
        root.Inner!.Kinds.Should().Be(BtfFieldKind.GraphNode | BtfFieldKind.Refcount);
    }

    [Fact]
    public void Arrays_OfKptrsAndOfStructs_RepeatTheirFields()
    {
        var result = Read(
            "struct in { int x; struct task_struct __kptr *t; };"
            + "struct v { struct task_struct __kptr *a[2][2]; struct in in[2]; struct { struct in deep; } n; };");
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Fields.Select(f => f.OffsetBytes).Should().Equal(0, 8, 16, 24, 40, 56, 72);
    }

    [Theory]
    [InlineData("struct v { struct file __kptr *f; };", Errno.ENOENT)]
    [InlineData("struct v { struct task_struct __rcu *f; };", Errno.EINVAL)]
    [InlineData("struct v { struct task_struct __kptr __rcu *f; };", Errno.EINVAL)]
    [InlineData("struct v { int __kptr *f; };", Errno.EINVAL)]
    [InlineData("struct v { struct never __kptr *f; };", Errno.EINVAL)]
    [InlineData("union u { int a; }; struct v { union u __kptr *f; };", Errno.EINVAL)]
    [InlineData("struct v { struct bpf_spin_lock a, b; };", Errno.E2BIG)]
    [InlineData("struct v { struct bpf_timer a; struct { struct bpf_timer b; } n; };", Errno.E2BIG)]
    [InlineData("struct v { struct bpf_timer a[2]; };", Errno.EINVAL)]
    [InlineData("struct v { struct task_struct __kptr *t[12]; };", Errno.E2BIG)]
    [InlineData("struct v { struct bpf_spin_lock l; struct bpf_list_head h; };", Errno.EINVAL)]
    [InlineData("struct v { struct bpf_spin_lock l; struct bpf_list_head h __contains(nope, n); };", Errno.ENOENT)]
    [InlineData("struct n { int x; }; struct v { struct bpf_spin_lock l; struct bpf_list_head h __contains(n, y); };",
        Errno.ENOENT)]
    [InlineData("struct n { int x; }; struct v { struct bpf_spin_lock l; struct bpf_list_head h __contains(n, x); };",
        Errno.EINVAL)]
    [InlineData("struct n { struct bpf_list_node x; }; struct v { struct bpf_list_head h __contains(n, x); };",
        Errno.EINVAL)]
    [InlineData("struct v { int a : 3; int b : 3; };", Errno.EINVAL)]
    [InlineData("typedef int v;", Errno.EINVAL)]
    public void MapValue_ThatBreaksARule_GivesLinuxErrno(string text, Errno expected)
    {
        var result = Read(text);
        result.Error.Should().Be(expected, result.Message);
        result.Message.Should().NotBeEmpty();
        result.Record.Fields.Should().BeEmpty();
    }

    [Theory]
    [InlineData("struct v { union { struct task_struct __kptr *t; u64 raw; }; };")]
    [InlineData("struct v { char c; struct task_struct __kptr *t; } __attribute__((packed));")]
    [InlineData("struct v { struct bpf_timer { int other; } t; };")]
    [InlineData("struct v { struct task_struct *t; u64 x; };")]
    [InlineData("struct v { struct task_struct __kptr *t[0]; };")]
    public void MapValue_ThatLinuxSeesNothingIn_HasAnEmptyRecord(string text)
    {
        var prelude = text.Contains("other", StringComparison.Ordinal) ? "" : Prelude;
        var result = ReadAll(prelude + text).Result;
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Fields.Should().BeEmpty();
    }

    [Fact]
    public void OverlappingFields_AreEEXIST()
    {
        var b = new BtfBuilder("t");
        var u64 = b.AddInt("u64", 8);
        var arr = b.AddArray(u64, u64, 2);
        var timer = b.AddStruct("bpf_timer", 16, [new("o", arr, 0, 0)]);
        var wq = b.AddStruct("bpf_wq", 16, [new("o", arr, 0, 0)]);
        var v = b.AddStruct("v", 24, [new("t", timer, 0, 0), new("w", wq, 64, 0)]);
        var result = Reader(b.Build()).ReadMapValue(v, 24);
        (result.Error, result.Message).Should().Be((Errno.EEXIST, "'w' overlaps the special field before it"));
    }

    [Fact]
    public void DataSection_Variables_AreFieldsBySectionOffset()
    {
        var btf = CDeclParser.Parse(
            Prelude
            + """
            struct n { struct bpf_list_node l; };
            int pad SEC(".bss.A");
            struct bpf_spin_lock lock SEC(".bss.A");
            struct bpf_list_head head SEC(".bss.A") __contains(n, l);
            struct task_struct __kptr *t SEC(".bss.A");
            """,
            "t");
        var sec = btf.FindId(".bss.A", BtfKind.DataSec);
        var result = Reader(btf).ReadMapValue(sec, btf[sec].SizeBytes);
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Fields.Select(f => (f.Name, f.OffsetBytes)).Should().Equal(("lock", 4), ("head", 8), ("t", 24));
    }

    [Fact]
    public void StructRecord_ExistsOnlyForDirectMembers()
    {
        var (reader, btf, _) = ReadAll(Prelude
            + "struct in { struct task_struct __kptr *t; }; struct outer { struct in in; };"
            + "struct arr { struct task_struct __kptr *t[2]; }; struct v { int x; };");
        reader.StructRecord(btf.FindId("in", BtfKind.Struct))!.Kinds.Should().Be(BtfFieldKind.KptrRef);
        reader.StructRecord(btf.FindId("outer", BtfKind.Struct)).Should().BeNull();
        reader.StructRecord(btf.FindId("arr", BtfKind.Struct)).Should().BeNull();
    }

    [Theory]
    [InlineData("struct a { struct b __kptr *b; }; struct b { struct a __kptr *a; }; struct v { int x; };",
        Errno.ELOOP)]
    [InlineData("struct a { struct a __kptr *self; }; struct v { int x; };", Errno.ELOOP)]
    [InlineData("struct a { struct a __kptr_untrusted *self; }; struct v { int x; };", Errno.None)]
    [InlineData(
        "struct a { struct bpf_list_node n; struct bpf_spin_lock l; struct bpf_list_head h __contains(a, n); }; "
            + "struct v { int x; };",
        Errno.ELOOP)]
    [InlineData("struct a { struct bpf_list_node l; struct bpf_rb_node r; }; struct v { int x; };", Errno.EINVAL)]
    [InlineData("struct a { struct file __kptr *f; }; struct v { int x; };", Errno.ENOENT)]
    [InlineData("struct a { char c; struct bpf_refcount r; } __attribute__((packed)); struct v { int x; };",
        Errno.EFAULT)]
    public void Load_OfBadStruct_FailsForTheWholeBtf(string text, Errno expected)
    {
        var reader = ReadAll(Prelude + text).Reader;
        reader.Load.Error.Should().Be(expected, reader.Load.Message);
    }

    [Fact]
    public void Load_OfTypesThatContainThemselves_IsEEXIST()
    {
        var byValue = new BtfBuilder("t");
        byValue.AddStruct("s", 8, [new("me", 2, 0, 0)]);
        byValue.AddArray(3, 3, 1);
        byValue.AddTypedef("s_t", 1);
        Reader(byValue.Build()).Load.Error.Should().Be(Errno.EEXIST);

        var pointers = new BtfBuilder("t");
        pointers.AddPtr(2);
        pointers.AddConst(1);
        Reader(pointers.Build()).Load.Error.Should().Be(Errno.EEXIST);

        var list = CDeclParser.Parse("struct list { struct list *const next; };", "t");
        Reader(list).Load.Error.Should().Be(Errno.None);
    }

    [Fact]
    public void Load_OfMisplacedMemberOrTag_IsEINVAL()
    {
        var member = new BtfBuilder("t");
        member.AddStruct("s", 4, [new("m", member.AddInt("long", 8), 0, 0)]);
        Reader(member.Build()).Load.Error.Should().Be(Errno.EINVAL);

        var tag = new BtfBuilder("t");
        tag.AddConst(2);
        tag.AddTypeTag("kptr", 0);
        Reader(tag.Build()).Load.Error.Should().Be(Errno.EINVAL);
    }

    [Theory]
    [InlineData(8, Errno.None)]
    [InlineData(9, Errno.ELOOP)]
    public void OwnershipChain_OfMoreThanEight_IsELOOP(int length, Errno expected)
    {
        // s0 owns s1 owns ... ; the last one holds a kernel kptr, so all of them have records.
        var text = "";
        for (var i = 0; i < length; i++)
        {
            var pointee = i == length - 1 ? "task_struct" : $"s{i + 1}";
            text += $"struct s{i} {{ struct {pointee} __kptr *p; }};";
        }

        ReadAll(Prelude + text + "struct v { int x; };").Reader.Load.Error.Should().Be(expected);
    }

    [Fact]
    public void Profile6_2_ReadsItsOwnTags()
    {
        var btf = CDeclParser.Parse(
            "struct task_struct { int pid; };"
            + "struct v { struct task_struct __kptr *u; "
            + "struct task_struct __attribute__((btf_type_tag(\"kptr_ref\"))) *r; };",
            "t");
        var result = Reader(btf, BtfRecordRules.Linux6_2).ReadMapValue(btf.FindId("v", BtfKind.Struct), 16);
        result.Record.Fields.Select(f => f.Kind).Should().Equal(BtfFieldKind.KptrUnref, BtfFieldKind.KptrRef);
        result.Record.Fields[0].Dtor.Should().BeNull();
    }

    [Fact]
    public void Profile7_2_KnowsUptrTaskWorkAndResLock()
    {
        var btf = CDeclParser.Parse(
            "struct bpf_res_spin_lock { u32 val; }; struct bpf_task_work { u64 o; }; struct user { int x; };"
            + "struct v { struct bpf_res_spin_lock l; struct bpf_task_work w; struct user __uptr *u; };",
            "t");
        var result = Reader(btf, BtfRecordRules.Linux7_2).ReadMapValue(btf.FindId("v", BtfKind.Struct), 24);
        result.Error.Should().Be(Errno.None, result.Message);
        result.Record.Kinds.Should().Be(BtfFieldKind.ResSpinLock | BtfFieldKind.TaskWork | BtfFieldKind.Uptr);
    }

    private static BtfRecordResult Read(string text) => ReadAll(Prelude + text).Result;

    private static (BtfRecordReader Reader, BtfSpec Btf, BtfRecordResult Result) ReadAll(string text)
    {
        var btf = CDeclParser.Parse(text, "t");
        var id = btf.FindId("v", BtfKind.Struct) is var s and not 0 ? s : btf.FindId("v", BtfKind.Typedef);
        var reader = Reader(btf);
        return (reader, btf, reader.ReadMapValue(id, btf.ResolveSize(id)));
    }

    private static BtfRecordReader Reader(BtfSpec btf, BtfRecordRules? rules = null) =>
        new(btf, s_kernel, n => n == "task_struct" ? "bpf_task_release" : null, rules);
}
