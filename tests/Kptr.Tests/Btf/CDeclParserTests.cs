using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Tests.Btf;

public class CDeclParserTests
{
    [Fact]
    public void Struct_OfMixedMembers_IsLaidOutAsX8664()
    {
        var btf = CDeclParser.Parse(
            """
            struct s {
                char a;
                long b;
                u16 c;
                struct { u8 x; u32 y; } inner;
                union { u64 wide; u8 narrow; };
                int tail[3];
            };
            """,
            "t");
        Offsets(btf, "s").Should().Equal(("a", 0), ("b", 64), ("c", 128), ("inner", 160), ("", 256), ("tail", 320));
        btf[btf.FindId("s", BtfKind.Struct)].SizeBytes.Should().Be(56);
    }

    [Fact]
    public void Struct_BitFields_FollowTheAbi()
    {
        var btf = CDeclParser.Parse(
            """
            struct s { u32 a : 3; u32 b : 30; u8 c : 4; u8 : 0; u8 d : 1; u64 e : 40; int f; };
            struct p { u32 a : 3; u32 b : 30; u64 c : 40; } __attribute__((packed));
            """,
            "t");
        Offsets(btf, "s").Should().Equal(("a", 0), ("b", 32), ("c", 64), ("d", 72), ("e", 73), ("f", 128));
        btf[btf.FindId("s", BtfKind.Struct)].Member(1).BitfieldSizeBits.Should().Be(30);
        Offsets(btf, "p").Should().Equal(("a", 0), ("b", 3), ("c", 33));
        btf[btf.FindId("p", BtfKind.Struct)].SizeBytes.Should().Be(10);
    }

    [Fact]
    public void Struct_PackedAndAligned_ChangesOffsetsAndSize()
    {
        var btf = CDeclParser.Parse(
            """
            struct p { char a; int b; short c; } __attribute__((packed));
            struct a { char a; int b __attribute__((aligned(16))); } __attribute__((aligned(64)));
            struct n { char a; struct p p; struct a x; };
            """,
            "t");
        Offsets(btf, "p").Should().Equal(("a", 0), ("b", 8), ("c", 40));
        btf[btf.FindId("p", BtfKind.Struct)].SizeBytes.Should().Be(7);
        Offsets(btf, "a").Should().Equal(("a", 0), ("b", 128));
        btf[btf.FindId("a", BtfKind.Struct)].SizeBytes.Should().Be(64);
        Offsets(btf, "n").Should().Equal(("a", 0), ("p", 8), ("x", 512));
    }

    [Fact]
    public void Kptr_Tag_StandsBetweenPointerAndPointee()
    {
        var btf = CDeclParser.Parse("struct v { struct task_struct __kptr *task; const char __user *name; };", "t");
        var v = btf[btf.FindId("v", BtfKind.Struct)];
        var ptr = btf[v.Member(0).TypeId];
        ptr.Kind.Should().Be(BtfKind.Ptr);
        ptr.Ref.Kind.Should().Be(BtfKind.TypeTag);
        ptr.Ref.Name.Should().Be("kptr");
        ptr.Ref.Ref.Kind.Should().Be(BtfKind.Fwd);
        ptr.Ref.Ref.Name.Should().Be("task_struct");

        var name = btf[v.Member(1).TypeId];
        name.Ref.Kind.Should().Be(BtfKind.TypeTag);
        name.Ref.Ref.Kind.Should().Be(BtfKind.Const);
    }

    [Fact]
    public void FunctionPointerTypedef_OfTracepoint_HasItsPrototype()
    {
        var btf = CDeclParser.Parse(
            "typedef void (*btf_trace_task_newtask)(void *, struct task_struct *, u64);", "t");
        var td = btf[btf.FindId("btf_trace_task_newtask", BtfKind.Typedef)];
        td.Ref.Kind.Should().Be(BtfKind.Ptr);
        var proto = td.Ref.Ref;
        proto.Kind.Should().Be(BtfKind.FuncProto);
        proto.VLen.Should().Be(3);
        proto.RefTypeId.Should().Be(0);
        btf[proto.Param(2).TypeId].Name.Should().Be("u64");
    }

    [Fact]
    public void Function_Prototype_KeepsNamesLinkageAndTags()
    {
        var btf = CDeclParser.Parse(
            """
            struct task_struct;
            __bpf_kfunc struct task_struct *bpf_task_acquire(struct task_struct *p);
            extern int probe(void *p__nullable, u32 n__sz, ...) __ksym __weak;
            static int sub(struct ctx *c __arg_ctx, int a[4], int cb(int));
            """,
            "t");
        var acquire = btf[btf.FindId("bpf_task_acquire", BtfKind.Func)];
        acquire.Linkage.Should().Be(1);
        acquire.Ref.Param(0).Name.Should().Be("p");
        btf[btf.FindId("bpf_kfunc", BtfKind.DeclTag)].RefTypeId.Should().Be(acquire.Id);

        var probe = btf[btf.FindId("probe", BtfKind.Func)];
        probe.Linkage.Should().Be(2);
        probe.Ref.VLen.Should().Be(3);
        probe.Ref.Param(1).Name.Should().Be("n__sz");
        probe.Ref.Param(2).Should().Be(new BtfParam("", 0));

        var sub = btf[btf.FindId("sub", BtfKind.Func)];
        sub.Linkage.Should().Be(0);
        var tag = btf[btf.FindId("arg:ctx", BtfKind.DeclTag)];
        (tag.RefTypeId, tag.ComponentIdx).Should().Be((sub.Id, 0));
        btf[sub.Ref.Param(1).TypeId].Kind.Should().Be(BtfKind.Ptr);
        btf[sub.Ref.Param(2).TypeId].Ref.Kind.Should().Be(BtfKind.FuncProto);
    }

    [Fact]
    public void Declarator_OfNestedPointersAndArrays_ReadsInsideOut()
    {
        var btf = CDeclParser.Parse("struct s { int (*(*f)(char *))[3]; const volatile int *const p[2]; };", "t");
        var s = btf[btf.FindId("s", BtfKind.Struct)];
        var array = btf[s.Member(0).TypeId].Ref.Ref.Ref;       // ptr -> proto -> ptr returned
        array.Array.Count.Should().Be(3);
        var elem = btf[btf[s.Member(1).TypeId].Array.ElemTypeId];
        elem.Kind.Should().Be(BtfKind.Const);
        elem.Ref.Kind.Should().Be(BtfKind.Ptr);
        elem.Ref.Ref.Kind.Should().Be(BtfKind.Const);
        elem.Ref.Ref.Ref.Kind.Should().Be(BtfKind.Volatile);
    }

    [Fact]
    public void Enum_Values_DecideKindSizeAndSign()
    {
        var btf = CDeclParser.Parse(
            """
            #define BASE 0x10
            enum small { A, B = BASE + 2, C };
            enum neg { M = -1, N };
            enum wide { W = 1 << 3, X = 0x100000000, };
            enum huge { H = 0xffffffffffffffff };
            struct s { int a[C * 2]; char b[sizeof(struct { long x; int y; })]; };
            """,
            "t");
        btf[btf.FindId("small", BtfKind.Enum)].EnumValue(2).Should().Be(new BtfEnumValue("C", 19));
        btf[btf.FindId("neg", BtfKind.Enum)].KindFlag.Should().BeTrue();
        btf[btf.FindId("neg", BtfKind.Enum)].EnumValue(0).Value.Should().Be(-1);
        btf[btf.FindId("wide", BtfKind.Enum64)].EnumValue(1).Value.Should().Be(0x100000000);
        btf[btf.FindId("huge", BtfKind.Enum64)].KindFlag.Should().BeFalse();
        btf[btf.FindId("s", BtfKind.Struct)].SizeBytes.Should().Be((38 * 4) + 16);
    }

    [Fact]
    public void ForwardDeclaration_DefinedLater_KeepsItsId()
    {
        var btf = CDeclParser.Parse("struct node { struct node *next; struct late *l; }; struct late { int x; };", "t");
        var node = btf[btf.FindId("node", BtfKind.Struct)];
        btf[node.Member(0).TypeId].RefTypeId.Should().Be(node.Id);
        btf[node.Member(1).TypeId].Ref.Kind.Should().Be(BtfKind.Struct);
        btf.FindId("late", BtfKind.Fwd).Should().Be(0);
    }

    [Fact]
    public void Contains_OnMember_BecomesDeclTagWithItsIndex()
    {
        var btf = CDeclParser.Parse(
            """
            struct bpf_list_head { u64 :64; u64 :64; } __attribute__((aligned(8)));
            struct v { int a; struct bpf_list_head head __contains(node_data, node); };
            """,
            "t");
        var tag = btf[btf.FindId("contains:node_data:node", BtfKind.DeclTag)];
        (tag.RefTypeId, tag.ComponentIdx).Should().Be((btf.FindId("v", BtfKind.Struct), 1));
        btf.ResolveSize(btf.FindId("bpf_list_head", BtfKind.Struct)).Should().Be(16);
    }

    [Fact]
    public void SplitBtf_UsesTypesOfItsBase()
    {
        var vmlinux = CDeclParser.Parse("struct task_struct { int pid; }; typedef int mine_t;", "vmlinux");
        var module = CDeclParser.Parse("struct m { struct task_struct t; mine_t x; u32 y; };", "m", vmlinux);
        var m = module[module.FindId("m", BtfKind.Struct)];
        m.Member(0).TypeId.Should().Be(vmlinux.FindId("task_struct", BtfKind.Struct));
        m.Id.Should().BeGreaterThanOrEqualTo(vmlinux.TypeCount);
        m.SizeBytes.Should().Be(12);
        module[m.Member(2).TypeId].Name.Should().Be("u32");
    }

    [Fact]
    public void Variables_InSections_MakeDataSec()
    {
        var btf = CDeclParser.Parse("char c SEC(\".data\"); u64 v SEC(\".data\"); extern int e;", "t");
        var sec = btf[btf.FindId(".data", BtfKind.DataSec)];
        sec.VLen.Should().Be(2);
        sec.Var(1).Should().Be(new BtfVarSecInfo(btf.FindId("v", BtfKind.Var), 8, 8));
        sec.SizeBytes.Should().Be(16);
        btf[btf.FindId("e", BtfKind.Var)].Linkage.Should().Be(2);
    }

    [Theory]
    [InlineData("struct s { foo x; };", DiagCode.CDeclUnknownName, "1:12")]
    [InlineData("struct s { int x };", DiagCode.CDeclSyntax, "1:18")]
    [InlineData("struct s {\n  struct t x;\n};", DiagCode.CDeclBadType, "2:12")]
    [InlineData("struct s { int a; int a; };", DiagCode.CDeclRedefined, "1:23")]
    [InlineData("struct s { int a; }; struct s { int b; };", DiagCode.CDeclRedefined, "1:29")]
    [InlineData("struct s; union s *f(void);", DiagCode.CDeclRedefined, "1:17")]
    [InlineData("int f(void) { return 0; }", DiagCode.CDeclSyntax, "1:13")]
    [InlineData("int x = 3;", DiagCode.CDeclSyntax, "1:7")]
    [InlineData("struct s { int a : 40; };", DiagCode.CDeclBadType, "1:16")]
    [InlineData("struct s { int __kptr x; };", DiagCode.CDeclSyntax, "1:12")]
    [InlineData("int a[1/0];", DiagCode.CDeclSyntax, "1:8")]
    [InlineData("struct s { int a[0x7fffffff]; };", DiagCode.CDeclBadType, "1:17")]
    [InlineData("struct s { int a", DiagCode.CDeclSyntax, "1:17")]
    [InlineData("int x SEC(\"a\0b\");", DiagCode.CDeclSyntax, "1:11")]
    [InlineData("/* no end", DiagCode.CDeclSyntax, "1:1")]
    [InlineData("#include <x>", DiagCode.CDeclSyntax, "1:10")]
    [InlineData("int f(void); long f(void);", DiagCode.CDeclRedefined, "1:19")]
    public void Fault_InText_NamesLineAndColumn(string text, DiagCode code, string place)
    {
        var sink = new DiagSink();
        CDeclParser.TryParse(text, "t.h", null, sink).Should().BeNull();
        sink.All.Should().ContainSingle();
        sink.All[0].Code.Should().Be(code, sink.All[0].Message);
        sink.All[0].Source.Should().Be("t.h:" + place);
    }

    [Theory]
    [InlineData("int ", "(")]
    [InlineData("", "struct a { ")]
    [InlineData("int x[", "(")]
    [InlineData("int x[", "-")]
    [InlineData("int f", "(int (")]
    public void Nesting_WithoutEnd_IsAFaultAndNotAStackOverflow(string start, string piece)
    {
        var sink = new DiagSink();
        CDeclParser.TryParse(start + string.Concat(Enumerable.Repeat(piece, 20_000)), "t", null, sink).Should()
            .BeNull();
        sink.All[0].Code.Should().Be(DiagCode.CDeclSyntax);
    }

    private static (string Name, int BitOffset)[] Offsets(BtfSpec btf, string name)
    {
        var type = btf[btf.FindId(name, BtfKind.Struct)];
        return [.. Enumerable.Range(0, type.VLen).Select(i => (type.Member(i).Name, type.Member(i).BitOffset))];
    }
}
