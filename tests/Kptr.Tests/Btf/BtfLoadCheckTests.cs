using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;

namespace Kptr.Tests.Btf;

/// <summary>
/// One BTF with every kind that a kernel takes, and the same with one word changed, which it refuses.
/// </summary>
public class BtfLoadCheckTests
{
    private const uint KindFlag = 0x8000_0000;
    private static readonly KernelTypes s_kernel = new(
        CDeclParser.Parse("struct task_struct { int pid; };", "vmlinux"));

    private enum At
    {
        Void,
        Int,
        Ptr,
        Array,
        Struct,
        Bits,
        Enum,
        Enum64,
        Fwd,
        Typedef,
        Const,
        Tag,
        Proto,
        Func,
        Var,
        Sec,
        Float,
        DeclTag,
        Odd,
        VarArgs,
    }

    // type, word, value, what is wrong with it
    public static TheoryData<string, int, uint, string> Faults => new()
    {
        { nameof(At.Int), 1, Info(BtfKind.Int, 1), "an integer has no parts" },
        { nameof(At.Int), 1, Info(BtfKind.Int) | KindFlag, "an integer has no kind flag" },
        { nameof(At.Int), 1, Info(BtfKind.Int) | 0x2000_0000, "a reserved bit" },
        { nameof(At.Int), 2, 3, "32 bits do not fit into 3 bytes" },
        { nameof(At.Int), 3, 0x1000_0020, "a reserved bit of the encoding" },
        { nameof(At.Int), 3, 0x0300_0020, "two encodings at once" },
        { nameof(At.Int), 3, 0x00f0_0020, "bits past 128" },
        { nameof(At.Ptr), 0, 1, "a pointer has no name" },
        { nameof(At.Ptr), 1, Info(BtfKind.Ptr, 2), "a pointer has no parts" },
        { nameof(At.Ptr), 1, Info(BtfKind.Ptr) | KindFlag, "a pointer has no kind flag" },
        { nameof(At.Ptr), 2, (uint)At.Ptr, "a pointer to itself" },
        { nameof(At.Ptr), 2, (uint)At.Var, "a pointer to a variable" },
        { nameof(At.Ptr), 2, (uint)At.Sec, "a pointer to a section" },
        { nameof(At.Array), 0, 1, "an array has no name" },
        { nameof(At.Array), 2, 4, "an array has no size of its own" },
        { nameof(At.Array), 3, (uint)At.Void, "an array of void" },
        { nameof(At.Array), 3, (uint)At.Fwd, "an array of what has no size" },
        { nameof(At.Array), 3, (uint)At.Array, "an array of itself" },
        { nameof(At.Array), 3, (uint)At.Odd, "an array of bits" },
        { nameof(At.Array), 4, (uint)At.Struct, "an index that is no integer" },
        { nameof(At.Array), 4, (uint)At.Odd, "an index that is not whole bytes" },
        { nameof(At.Array), 5, 0x7fff_ffff, "more than 4 GiB" },
        { nameof(At.Struct), 2, 11, "a member past the end" },
        { nameof(At.Struct), 4, (uint)At.Void, "a member of type void" },
        { nameof(At.Struct), 4, (uint)At.Struct, "a struct in itself" },
        { nameof(At.Struct), 4, (uint)At.Proto, "a function as member" },
        { nameof(At.Struct), 5, 4, "a pointer that begins inside a byte" },
        { nameof(At.Struct), 5, 72, "members that go back" },
        { nameof(At.Struct), 8, 136, "a member that ends behind the struct" },
        { nameof(At.Bits), 5, 33u << 24, "more bits than the integer has" },
        { nameof(At.Bits), 5, 3, "no bit field, and not at a byte" },
        { nameof(At.Bits), 8, (33u << 24) | 32, "more bits than an enum has" },
        { nameof(At.Enum), 2, 3, "a size that is no power of two" },
        { nameof(At.Enum), 2, 16, "more than 8 bytes" },
        { nameof(At.Enum), 3, 0, "a value without a name" },
        { nameof(At.Enum64), 2, 16, "more than 8 bytes" },
        { nameof(At.Enum64), 3, 0, "a value without a name" },
        { nameof(At.Fwd), 0, 0, "a forward declaration without a name" },
        { nameof(At.Fwd), 1, Info(BtfKind.Fwd, 1), "a forward declaration has no parts" },
        { nameof(At.Fwd), 2, 1, "a forward declaration has no size" },
        { nameof(At.Typedef), 0, 0, "a typedef without a name" },
        { nameof(At.Typedef), 2, (uint)At.DeclTag, "a typedef of a tag" },
        { nameof(At.Typedef), 2, (uint)At.Typedef, "a typedef of itself" },
        { nameof(At.Const), 0, 1, "a qualifier has no name" },
        { nameof(At.Const), 2, (uint)At.Tag, "a type tag behind a qualifier" },
        { nameof(At.Tag), 0, 0, "a type tag without a name" },
        { nameof(At.Tag), 1, Info(BtfKind.TypeTag) | KindFlag, "attributes came with a later kernel" },
        { nameof(At.Proto), 0, 1, "a prototype has no name" },
        { nameof(At.Proto), 1, Info(BtfKind.FuncProto, 2) | KindFlag, "a prototype has no kind flag" },
        { nameof(At.Proto), 2, (uint)At.Fwd, "returns what has no size" },
        { nameof(At.Proto), 2, uint.MaxValue, "returns what does not exist" },
        { nameof(At.Array), 5, 0x4000_0000, "4 GiB" },
        { nameof(At.Struct), 8, 0xffff_ffc0, "a member behind the struct" },
        { nameof(At.Sec), 4, uint.MaxValue, "a variable far behind its section" },
        { nameof(At.Proto), 3, 0, "a parameter of a function without a name" },
        { nameof(At.Proto), 4, 0, "void before the last parameter" },
        { nameof(At.Proto), 6, (uint)At.Fwd, "takes what has no size" },
        { nameof(At.VarArgs), 5, 1, "three dots with a name" },
        { nameof(At.Func), 0, 0, "a function without a name" },
        { nameof(At.Func), 1, Info(BtfKind.Func, 3), "a linkage that does not exist" },
        { nameof(At.Func), 1, Info(BtfKind.Func) | KindFlag, "a function has no kind flag" },
        { nameof(At.Func), 2, (uint)At.Int, "a function of a type that is no prototype" },
        { nameof(At.Var), 0, 0, "a variable without a name" },
        { nameof(At.Var), 1, Info(BtfKind.Var, 1), "a variable has no parts" },
        { nameof(At.Var), 2, (uint)At.Void, "a variable of type void" },
        { nameof(At.Var), 2, (uint)At.Fwd, "a variable without size" },
        { nameof(At.Var), 3, 2, "an extern variable" },
        { nameof(At.Sec), 0, 0, "a section without a name" },
        { nameof(At.Sec), 1, Info(BtfKind.DataSec, 1) | KindFlag, "a section has no kind flag" },
        { nameof(At.Sec), 2, 0, "an empty section" },
        { nameof(At.Sec), 2, 3, "a variable larger than its section" },
        { nameof(At.Sec), 3, (uint)At.Int, "a type that is no variable in a section" },
        { nameof(At.Sec), 4, 4, "a variable that starts behind its section" },
        { nameof(At.Sec), 5, 0, "a variable of no bytes" },
        { nameof(At.Sec), 5, 2, "a variable smaller than its type" },
        { nameof(At.Float), 2, 5, "a size that no float has" },
        { nameof(At.Float), 1, Info(BtfKind.Float, 1), "a float has no parts" },
        { nameof(At.DeclTag), 0, 0, "a tag that says nothing" },
        { nameof(At.DeclTag), 1, Info(BtfKind.DeclTag) | KindFlag, "attributes came with a later kernel" },
        { nameof(At.DeclTag), 2, (uint)At.Int, "a tag on an integer" },
        { nameof(At.DeclTag), 3, 2, "a tag on a member that does not exist" },
        { nameof(At.DeclTag), 3, 0xffff_fffe, "a tag on a member before the first" },
    };

    [Fact]
    public void Load_OfEveryKindAsCompilersWriteIt_IsTaken() => Load(Sound()).Should().Be(Errno.None);

    [Theory, MemberData(nameof(Faults))]
    public void Load_WithOneWordChanged_IsRefused(string type, int word, uint value, string why)
    {
        var patch = new BtfPatch(Sound(), Sound().ToBytes());
        patch.Put((int)Enum.Parse<At>(type), word, value);
        Load(BtfSpec.Read(patch.Bytes, "t")).Should().NotBe(Errno.None, why);
    }

    [Theory]
    [InlineData(nameof(At.Odd), 2, uint.MaxValue)]
    [InlineData(nameof(At.Array), 5, 0x2000_0000)]
    [InlineData(nameof(At.Struct), 2, uint.MaxValue)]
    [InlineData(nameof(At.Sec), 2, 0x8000_0000)]
    public void Load_OfASizeOfGigabytes_IsTaken(string type, int word, uint value)
    {
        var patch = new BtfPatch(Sound(), Sound().ToBytes());
        patch.Put((int)Enum.Parse<At>(type), word, value);
        Load(BtfSpec.Read(patch.Bytes, "t")).Should().Be(Errno.None);
    }

    [Theory]
    [InlineData(nameof(At.Tag), BtfKind.TypeTag)]
    [InlineData(nameof(At.DeclTag), BtfKind.DeclTag)]
    public void Load_OfATagThatIsAnAttribute_IsTakenByALaterKernel(string type, BtfKind kind)
    {
        var patch = new BtfPatch(Sound(), Sound().ToBytes());
        patch.Put((int)Enum.Parse<At>(type), 1, Info(kind) | KindFlag);
        new BtfRecordReader(BtfSpec.Read(patch.Bytes, "t"), s_kernel, _ => null, BtfRecordRules.Linux7_2)
            .Load.Error.Should().Be(Errno.None);
    }

    [Theory]
    [InlineData("Ã", false)] // in UTF-8 its second byte is a sign of Latin-1, no letter
    [InlineData("ÿ", false)]
    [InlineData("a.b_1", true)]
    [InlineData("1a", false)]
    [InlineData("a-b", false)]
    [InlineData("a b", false)]
    public void Load_OfATypedefWithAName_NeedsAnIdentifier(string name, bool isTaken)
    {
        var types = new BtfBuilder("t");
        types.AddTypedef(name, types.AddInt("int", 4));
        (Load(types.Build()) == Errno.None).Should().Be(isTaken);
    }

    [Theory]
    [InlineData(512, true)]
    [InlineData(513, false)]
    public void Load_OfALongName_StopsAtTheKernelsLimit(int length, bool isTaken)
    {
        var types = new BtfBuilder("t");
        types.AddTypedef(new string('a', length), types.AddInt("int", 4));
        (Load(types.Build()) == Errno.None).Should().Be(isTaken);
    }

    [Theory]
    [InlineData(31, Errno.None)]
    [InlineData(32, Errno.E2BIG)]
    public void Load_OfStructsInStructs_EndsWhereTheKernelsWalkDoes(int nested, Errno expected)
    {
        // Each struct stands before the one it contains, so that the walk goes down all of them at once.
        var types = new BtfBuilder("t");
        for (var i = 0; i < nested; i++)
        {
            types.AddStruct($"s{i}", 4, [new("in", types.NextId + 1, 0, 0)]);
        }

        types.AddStruct("last", 4, [new("n", types.NextId + 1, 0, 0)]);
        types.AddInt("int", 4);
        Load(types.Build()).Should().Be(expected);
    }

    [Fact]
    public void Load_OfNoTypes_IsRefused() => Load(new BtfBuilder("t").Build()).Should().Be(Errno.EINVAL);

    [Theory]
    [InlineData(3, 1)] // flags
    [InlineData(16, 4)] // a gap between types and strings: the strings begin later and reach past the end
    public void Load_OfAnotherLayout_IsRefused(int at, byte value)
    {
        var bytes = new byte[Sound().ToBytes().Length + (at == 3 ? 0 : 4)];
        Sound().ToBytes().CopyTo(bytes, 0);
        bytes[at] += value;
        Load(BtfSpec.Read(bytes, "t")).Should().Be(Errno.EINVAL);
    }

    private static Errno Load(BtfSpec btf) => new BtfRecordReader(btf, s_kernel, _ => null).Load.Error;

    private static uint Info(BtfKind kind, uint vlen = 0) => ((uint)kind << 24) | vlen;

    private static BtfSpec Sound()
    {
        var types = new BtfBuilder("t");
        types.AddInt("int", 4, isSigned: true);
        types.AddPtr((int)At.Struct);
        types.AddArray((int)At.Int, (int)At.Int, 4);
        types.AddStruct("s", 16, [new("p", (int)At.Ptr, 0, 0), new("n", (int)At.Int, 64, 0)]);
        types.AddStruct("bits", 8, [new("b", (int)At.Int, 0, 3), new("e", (int)At.Enum, 32, 8)]);
        types.AddEnum("e", 4, false, [new("E0", 0)]);
        types.AddEnum64("e64", 8, false, [new("E1", 1)]);
        types.AddFwd("fwd");
        types.AddTypedef("s_t", (int)At.Struct);
        types.AddConst((int)At.Int);
        types.AddTypeTag("tag", (int)At.Const);
        types.AddFuncProto((int)At.Int, [new("a", (int)At.Ptr), new("b", (int)At.Int)]);
        types.AddFunc("f", (int)At.Proto, 1);
        types.AddVar("v", (int)At.Int);
        types.AddDataSec(".data", 4, [new((int)At.Var, 0, 4)]);
        types.AddFloat("double", 8);
        types.AddDeclTag("note", (int)At.Struct, 1);
        types.AddInt("odd", 4);
        types.AddFuncProto(0, [new("a", (int)At.Int), new("", 0)]);
        var patch = new BtfPatch(types.Build(), types.ToBytes());
        patch.Put((int)At.Odd, 3, 7);
        return BtfSpec.Read(patch.Bytes, "t");
    }
}
