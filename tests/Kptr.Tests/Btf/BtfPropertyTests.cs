using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Btf;

namespace Kptr.Tests.Btf;

public class BtfPropertyTests
{
    [Property(MaxTest = 200)]
    public Property WriteOfRead_AnyTypes_IsIdentity() => Prop.ForAll(
        BtfGen.Any.ToArbitrary(),
        btf =>
        {
            var bytes = btf.ToBytes();
            BtfSpec.Read(bytes, "t").ToBytes().Should().Equal(bytes);
            BtfSpec.Read(btf.ToBytes(bigEndian: true), "t").ToBytes().Should().Equal(bytes);
        });

    [Property(MaxTest = 200)]
    public Property Rebuilt_FromWhatTheViewsSay_IsTheSameBytes() => Prop.ForAll(
        BtfGen.Any.ToArbitrary(),
        btf => Rebuild(btf).Should().Equal(btf.ToBytes()));

    [Property(MaxTest = 50)]
    public Property ParseOfPrint_OfAnyDeclarations_IsTheSameTypes() => Prop.ForAll(
        BtfGen.Text.ToArbitrary(),
        text =>
        {
            var btf = CDeclParser.Parse(text, "t");
            var print = BtfCPrinter.Print(btf);
            BtfCPrinterTests.Shapes(CDeclParser.Parse(print, "t")).Should().BeEquivalentTo(
                BtfCPrinterTests.Shapes(btf), print);
        });

    [Property(MaxTest = 100)]
    public Property FindId_OfEveryName_IsTheFirstTypeOfThatNameAndKind() => Prop.ForAll(
        BtfGen.Any.ToArbitrary(),
        btf =>
        {
            foreach (var t in Enumerable.Range(1, btf.TypeCount - 1)
                .Select(id => btf[id])
                .Where(t => t.Name.Length > 0))
            {
                var first = Enumerable.Range(1, t.Id).First(id => btf[id].Kind == t.Kind && btf[id].Name == t.Name);
                btf.FindId(t.Name, t.Kind).Should().Be(first);
            }
        });

    private static byte[] Rebuild(BtfSpec btf)
    {
        var b = new BtfBuilder("again");
        for (var id = 1; id < btf.TypeCount; id++)
        {
            Add(b, btf[id]).Should().Be(id);
        }

        return b.ToBytes();
    }

    private static int Add(BtfBuilder b, BtfType t)
    {
        List<T> All<T>(Func<int, T> part) => [.. Enumerable.Range(0, t.VLen).Select(part)];
        return t.Kind switch
        {
            BtfKind.Int => b.AddInt(t.Name, t.SizeBytes, t.Int.IsSigned, t.Int.IsChar, t.Int.IsBool),
            BtfKind.Ptr => b.AddPtr(t.RefTypeId),
            BtfKind.Array => b.AddArray(t.Array.ElemTypeId, t.Array.IndexTypeId, t.Array.Count),
            BtfKind.Struct => b.AddStruct(t.Name, t.SizeBytes, All(t.Member)),
            BtfKind.Union => b.AddUnion(t.Name, t.SizeBytes, All(t.Member)),
            BtfKind.Enum => b.AddEnum(t.Name, t.SizeBytes, t.KindFlag, All(t.EnumValue)),
            BtfKind.Fwd => b.AddFwd(t.Name, t.KindFlag),
            BtfKind.Typedef => b.AddTypedef(t.Name, t.RefTypeId),
            BtfKind.Volatile => b.AddVolatile(t.RefTypeId),
            BtfKind.Const => b.AddConst(t.RefTypeId),
            BtfKind.Restrict => b.AddRestrict(t.RefTypeId),
            BtfKind.Func => b.AddFunc(t.Name, t.RefTypeId, t.Linkage),
            BtfKind.FuncProto => b.AddFuncProto(t.RefTypeId, All(t.Param)),
            BtfKind.Var => b.AddVar(t.Name, t.RefTypeId, t.Linkage),
            BtfKind.DataSec => b.AddDataSec(t.Name, t.SizeBytes, All(t.Var)),
            BtfKind.Float => b.AddFloat(t.Name, t.SizeBytes),
            BtfKind.DeclTag => b.AddDeclTag(t.Name, t.RefTypeId, t.ComponentIdx),
            BtfKind.TypeTag => b.AddTypeTag(t.Name, t.RefTypeId),
            _ => b.AddEnum64(t.Name, t.SizeBytes, t.KindFlag, All(t.EnumValue)),
        };
    }
}
