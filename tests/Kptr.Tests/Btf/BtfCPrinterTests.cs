using Kptr.Btf;

namespace Kptr.Tests.Btf;

public class BtfCPrinterTests
{
    [Fact]
    public void Print_OfStruct_ReadsLikeC()
    {
        var btf = CDeclParser.Parse(
            """
            struct map_value { struct task_struct __kptr *task; int (*fn)(const char *, ...); u32 a : 3; char name[4][2]; };
            """,
            "t");
        BtfCPrinter.Print(btf, [
            btf.FindId("map_value", BtfKind.Struct),
        ]).Replace("\t", "    ", StringComparison.Ordinal).Should().Be(
            """
            struct task_struct;

            typedef unsigned int __u32;

            typedef __u32 u32;

            struct map_value {
                struct task_struct __kptr *task;
                int (*fn)(const char *, ...);
                u32 a : 3;
                char name[4][2];
            };


            """);
    }

    [Theory]
    [InlineData("int *p")]
    [InlineData("const volatile int *const p")]
    [InlineData("int (*p)[3]")]
    [InlineData("int (*(*p)(char *))[3]")]
    [InlineData("struct s __rcu *(*p[2])(void)")]
    [InlineData("struct s __kptr *__rcu *p")]
    [InlineData("void (*p)(int, ...)")]
    public void Declare_OfDeclarator_IsWhatWasParsed(string declaration)
    {
        var btf = CDeclParser.Parse($"struct holder {{ {declaration}; }};", "t");
        BtfCPrinter.Declare(btf[btf[btf.FindId("holder", BtfKind.Struct)].Member(0).TypeId], "p").Should().Be(
            declaration);
    }

    [Fact]
    public void Print_ParsedBack_IsTheSameTypes()
    {
        var again = CDeclParser.Parse(BtfCPrinter.Print(BtfSamples.Base), "t");
        Shapes(again).Should().BeEquivalentTo(Shapes(BtfSamples.Base));
    }

    [Fact]
    public void Gaps_WithoutAnyMember_BecomeUnnamedBits()
    {
        var b = new BtfBuilder("t");
        var i = b.AddInt("int", 4, isSigned: true);
        b.AddStruct("gap", 24, [new("a", i, 0, 0), new("b", i, 96, 0)]);
        b.AddUnion("wide", 16, [new("a", i, 0, 0)]);
        b.AddStruct("odd", 7, [new("a", i, 8, 0)]);
        var btf = b.Build();
        var text = BtfCPrinter.Print(btf);
        text.Should().Contain("long : 32;").And.Contain("aligned(16)").And.Contain("packed");
        Shapes(CDeclParser.Parse(text, "t")).Should().BeEquivalentTo(Shapes(btf));
    }

    [Fact]
    public void SameName_OfTwoStructs_GetsASuffix()
    {
        var b = new BtfBuilder("t");
        var i = b.AddInt("int", 4, isSigned: true);
        b.AddStruct("s", 4, [new("a", i, 0, 0)]);
        var second = b.AddStruct("s", 4, [new("b", i, 0, 0)]);
        b.AddStruct("user", 8, [new("p", b.AddPtr(second), 0, 0)]);
        var text = BtfCPrinter.Print(b.Build());
        text.Should().Contain("struct s___2 {").And.Contain("struct s___2 *p;");
    }

    [Fact]
    public void MutualPointers_NeedAForwardDeclaration()
    {
        var btf = CDeclParser.Parse("struct b; struct a { struct b *b; }; struct b { struct a a; };", "t");
        var text = BtfCPrinter.Print(btf);
        text.IndexOf("struct b;", StringComparison.Ordinal).Should().BeLessThan(
            text.IndexOf("struct a {", StringComparison.Ordinal));
        Shapes(CDeclParser.Parse(text, "t")).Should().BeEquivalentTo(Shapes(btf));
    }

    [Fact]
    public void AnonymousStructs_ThatDoubleAtEachLevel_DoNotExplode()
    {
        var b = new BtfBuilder("t");
        var id = b.AddInt("int", 4);
        for (var level = 0; level < 60; level++)
        {
            id = b.AddStruct("", 4, [new("l", id, 0, 0), new("r", id, 0, 0)]);
        }

        b.AddStruct("top", 4, [new("x", id, 0, 0)]);
        BtfCPrinter.Print(b.Build()).Length.Should().BeLessThan(10_000_000);
    }

    [Fact]
    public void CyclesOfEveryKind_EndThePrint()
    {
        var b = new BtfBuilder("t");
        b.AddPtr(1);
        b.AddConst(2);
        b.AddStruct("self", 8, [new("me", 3, 0, 0)]);
        b.AddStruct("", 8, [new("me", 4, 0, 0)]);
        b.AddTypedef("td", 5);
        b.AddArray(6, 6, 2);
        b.AddFuncProto(7, [new("p", 7)]);
        b.AddFunc("f", 7);
        b.AddVar("v", 4);
        BtfCPrinter.Print(b.Build()).Should().Contain("td");
    }

    [Fact]
    public void Function_WhoseTypeIsNoPrototype_PrintsWithoutParameters()
    {
        var b = new BtfBuilder("t");
        b.AddFunc("f", b.AddStruct("s", 4, [new("x", 0, 3200, 0), new("y", 0, 0, 0)]));
        BtfCPrinter.Print(b.Build()).Should().Contain("f(void);");
    }

    /// <summary>Every named struct, union and enum with the names, offsets and spelled types of its parts.</summary>
    internal static List<string> Shapes(BtfSpec btf)
    {
        var all = new List<string>();
        for (var id = btf.StartId; id < btf.TypeCount; id++)
        {
            var t = btf[id];
            if (t.Name.Length > 0
                && t.Kind is BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Typedef
                    or BtfKind.Func or BtfKind.Var)
            {
                var parts = Enumerable.Range(0, t.IsComposite ? t.VLen : 0).Select(t.Member)
                    .Select(m => $"{BtfCPrinter.Declare(btf[m.TypeId], m.Name)}@{m.BitOffset}:{m.BitfieldSizeBits}");
                var values = Enumerable.Range(0, t.Kind is BtfKind.Enum or BtfKind.Enum64 ? t.VLen : 0).Select(
                    t.EnumValue);
                var rest = t.IsComposite
                    || t.Kind is BtfKind.Enum or BtfKind.Enum64 ? "" : BtfCPrinter.Declare(t.Ref, "x");
                all.Add($"{t.Kind} {t.Name} {t.SizeBytes} {rest} {string.Join(';', parts)} {string.Join(';', values)}");
            }
        }

        return all;
    }
}
