using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>
/// The BTF of an object as the kernel gets to see it: libbpf turns externs into variables before it loads it.
/// </summary>
/// <remarks>
/// Kernel: <c>bpf_object__collect_externs</c> (libbpf 1.5). Each entry of <c>.ksyms</c> becomes a 4-byte
/// integer; functions among them become global, keep their flags, and are replaced by a variable that is added at
/// the end, whose name also stands in for names that their parameters lack. Where the object has no 32-bit
/// integer, the variables have no type, and the kernel refuses the BTF.
/// </remarks>
internal static class LoadedBtf
{
    private const string Section = ".ksyms";
    private const int SlotBytes = 4;
    private const uint VLenMask = 0xffff;
    private const uint GlobalLinkage = 1;
    private static ReadOnlySpan<byte> DummyName => "dummy_ksym\0\0"u8;

    public static BtfSpec Of(ObjectSpec spec)
    {
        var btf = spec.Btf!;
        var section = btf.FindId(Section, BtfKind.DataSec);
        return section == 0 || spec.Externs.All(e => e.Kind == ExternKind.Kconfig) ? btf : Rewrite(btf, btf[section]);
    }

    private static BtfSpec Rewrite(BtfSpec btf, BtfType section)
    {
        var patch = new BtfPatch(btf, btf.ToBytes());
        var integer = (uint)FindInt(btf);
        var (dummyId, dummyName) = ((uint)btf.TypeCount, (uint)btf.EndStringOffset);
        var hasFuncs = false;
        for (var i = 0; i < section.VLen; i++)
        {
            var symbol = btf[section.Var(i).TypeId];
            if (symbol.Kind == BtfKind.Func)
            {
                hasFuncs = true;
                patch.Put(symbol.Id, 1, (btf.Word(symbol.Id, 1) & ~VLenMask) | GlobalLinkage);
                NameParams(patch, btf, symbol.RefTypeId, dummyName);
                patch.Put(section.Id, 3 + (3 * i), dummyId);
            }
            else if (symbol.Kind == BtfKind.Var)
            {
                patch.Put(symbol.Id, 3, 1);
                patch.Put(symbol.Id, 2, integer);
            }

            patch.Put(section.Id, 4 + (3 * i), (uint)(SlotBytes * i));
            patch.Put(section.Id, 5 + (3 * i), SlotBytes);
        }

        patch.Put(section.Id, 2, (uint)(SlotBytes * section.VLen));
        return BtfSpec.Read(hasFuncs ? WithDummy(patch.Bytes, dummyName, integer) : patch.Bytes, btf.Name);
    }

    private static int FindInt(BtfSpec btf)
    {
        for (var id = 1; id < btf.TypeCount; id++)
        {
            if (btf.KindOf(id) == BtfKind.Int && btf.IntOf(id).SizeBits == 32)
            {
                return id;
            }
        }

        return 0;
    }

    private static void NameParams(BtfPatch patch, BtfSpec btf, int proto, uint name)
    {
        for (var i = 0; btf.KindOf(proto) == BtfKind.FuncProto && i < btf.VLenOf(proto); i++)
        {
            if (btf.ParamTypeOf(proto, i) != 0 && btf.ParamIsAnonymous(proto, i))
            {
                patch.Put(proto, 3 + (2 * i), name);
            }
        }
    }

    /// <summary>The same bytes with one variable behind the types and its name behind the strings.</summary>
    private static byte[] WithDummy(byte[] bytes, uint name, uint integer)
    {
        const int VarBytes = 16;
        var typesEnd = BtfHeader.Bytes + (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(12));
        var longer = new byte[bytes.Length + VarBytes + DummyName.Length];
        bytes.AsSpan(0, typesEnd).CopyTo(longer);
        uint[] variable = [name, (uint)BtfKind.Var << 24, integer, 1];
        for (var i = 0; i < variable.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(longer.AsSpan(typesEnd + (4 * i)), variable[i]);
        }

        bytes.AsSpan(typesEnd).CopyTo(longer.AsSpan(typesEnd + VarBytes));
        DummyName.CopyTo(longer.AsSpan(bytes.Length + VarBytes));
        var typeBytes = (uint)(typesEnd - BtfHeader.Bytes + VarBytes);
        new BtfHeader(BtfHeader.Bytes, 0, typeBytes, typeBytes, (uint)(longer.Length - BtfHeader.Bytes) - typeBytes)
            .Write(longer, false);
        return longer;
    }
}
