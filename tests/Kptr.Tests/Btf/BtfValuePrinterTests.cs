using System.Buffers.Binary;
using Kptr.Btf;

namespace Kptr.Tests.Btf;

public class BtfValuePrinterTests
{
    [Theory]
    [InlineData("int", "ffffffff", "-1")]
    [InlineData("unsigned int", "ffffffff", "4294967295")]
    [InlineData("_Bool", "01", "true")]
    [InlineData("_Bool", "07", "7")]
    [InlineData("unsigned long long", "ffffffffffffffff", "18446744073709551615")]
    [InlineData("void *", "0000000000000000", "NULL")]
    [InlineData("void *", "0080ffffffffffff", "0xffffffffffff8000")]
    [InlineData("enum colour", "01000000", "RED")]
    [InlineData("enum colour", "05000000", "5")]
    [InlineData("char[8]", "6e67696e78000000", "\"nginx\"")]
    [InlineData("char[4]", "61225c00", "\"a\\\"\\\\\"")]
    [InlineData("char[4]", "61626364", "{97, 98, 99, 100}")]
    [InlineData("char[4]", "61006300", "{97, 0, 99, 0}")]
    [InlineData("short[3]", "0100ffff0300", "{1, -1, 3}")]
    [InlineData("int[2][2]", "01000000020000000300000004000000", "{{1, 2}, {3, 4}}")]
    [InlineData("struct point", "0100000002000000", "{.x = 1, .y = 2}")]
    [InlineData("struct mixed", "0700000001000000", "{.whole = 7, {.left = 1, .right = 1}}")]
    [InlineData("struct bits", "9d000000", "{.low = -3, .middle = 3, .high = 1}")]
    [InlineData("struct gone", "0102", "{01 02}")]
    [InlineData("int", "0102", "{01 02}")]
    [InlineData("struct empty", "", "{}")]
    [InlineData("float", "0000c03f", "1.5")]
    [InlineData("double", "000000000000e0bf", "-0.5")]
    public void Value_IsPrintedAsItsTypeSays(string type, string bytes, string text)
    {
        BtfValuePrinter.Print(TypeOf(type), Convert.FromHexString(bytes)).Should().Be(text);
    }

    [Fact]
    public void Fields_AreThoseOfAnonymousMembersToo_WithTheirPlaces()
    {
        BtfValuePrinter.Fields(TypeOf("struct mixed"), Convert.FromHexString("0700000001000000")).Should().Equal(
            new BtfFieldText("whole", 0, "7"), new BtfFieldText("left", 4, "1"), new BtfFieldText("right", 4, "1"));
        BtfValuePrinter.Fields(TypeOf("int"), [3, 0, 0, 0]).Should().Equal(new BtfFieldText("", 0, "3"));
        BtfValuePrinter.Fields(TypeOf("struct point"), [3, 0]).Should().Equal(new BtfFieldText("", 0, "{03 00}"));
    }

    [Fact]
    public void LargeValue_IsCut()
    {
        var bytes = new byte[4 * 100_000];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, 9);
        var text = BtfValuePrinter.Print(TypeOf("int[100000]"), bytes);
        text.Should().StartWith("{9, 0, ").And.EndWith(", ...}");
        text.Length.Should().BeLessThan(300);
        BtfValuePrinter.Print(TypeOf("struct point[1000]"), new byte[8000]).Length.Should().BeLessThan(8000);
    }

    [Fact]
    public void TypesThatDoubleAtEachLevel_EndSoon()
    {
        var text = "struct s0 { int a; };";
        for (var i = 1; i <= 20; i++)
        {
            text += $"struct s{i} {{ struct s{i - 1} a; struct s{i - 1} b; }};";
        }

        var btf = CDeclParser.Parse(text, "t");
        var size = btf.ResolveSize(btf.FindId("s20", BtfKind.Struct));
        BtfValuePrinter.Print(btf[btf.FindId("s20", BtfKind.Struct)], new byte[size])
            .Length.Should().BeLessThan(10_000);
    }

    [Fact]
    public void NoType_IsRefused()
    {
        ((Action)(() => BtfValuePrinter.Print(default, [1]))).Should().Throw<ArgumentException>();
        ((Action)(() => BtfValuePrinter.Fields(new(TypeOf("int").Btf, 99_999), [1])))
            .Should().Throw<ArgumentException>();
    }

    private static BtfType TypeOf(string type)
    {
        var array = type.IndexOf('[', StringComparison.Ordinal);
        var declared = array < 0 ? $"{type} value" : $"{type[..array]} value{type[array..]}";
        var btf = CDeclParser.Parse(
            $$"""
            enum colour { BLUE, RED };
            struct point { int x; int y; };
            struct mixed { int whole; union { int left; int right; }; };
            struct bits { int low:3; unsigned int middle:4; unsigned int high:1; };
            struct empty { };
            struct gone;
            struct holder { {{declared}}; };
            """.Replace("struct holder { struct gone value; };", "struct holder { struct gone *value; };"), "t");
        var value = btf[btf[btf.FindId("holder", BtfKind.Struct)].Member(0).TypeId];
        return type == "struct gone" ? value.Ref : value;
    }
}
