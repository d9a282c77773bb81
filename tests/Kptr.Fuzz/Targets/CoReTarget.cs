using System.Buffers.Binary;
using System.Text;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Fuzz;

/// <summary>
/// CO-RE relocations of any access string between any two BTFs: patched, poisoned, or a fault of the program.
/// </summary>
/// <remarks>
/// <code>
/// lengths of both BTFs:2x16  the program's BTF  the kernel's BTF
/// per relocation: kind:8 form:8 value:16 type:16 length:8 access
/// </code>
/// The form says which instruction is relocated, the value what the compiler wrote into it.
/// </remarks>
internal static class CoReTarget
{
    private const int HeaderBytes = 4;
    private const int RelocBytes = 7;
    private const int RelocsMax = 16;

    private enum Form
    {
        Load4,
        Load8,
        Store1,
        StoreReg2,
        Mov,
        Mov32,
        LdImm64,
        LdImm64High,
        Exit,
        Count,
    }

    private sealed record Reloc(CoReKind Kind, Form Form, int Value, int TypeId, string Access);

    internal static bool Run(byte[] input)
    {
        if (input.Length < HeaderBytes)
        {
            return false;
        }

        var (localBytes, kernelBytes) = (BinaryPrimitives.ReadUInt16LittleEndian(input),
            BinaryPrimitives.ReadUInt16LittleEndian(input.AsSpan(2)));
        if (input.Length < HeaderBytes + localBytes + kernelBytes
            || BtfSpec.TryRead(input.AsMemory(HeaderBytes, localBytes), "local", null, new DiagSink()) is not { } local
            || BtfSpec.TryRead(input.AsMemory(HeaderBytes + localBytes, kernelBytes), "vmlinux", null, new DiagSink())
                is not { } kernel)
        {
            return false;
        }

        return Link(local, kernel, ReadRelocs(input.AsSpan(HeaderBytes + localBytes + kernelBytes), local));
    }

    internal static IEnumerable<byte[]> Seeds()
    {
        const string Program = """
            struct point { int x; int y; };
            struct shape { struct point origin; struct point corners[4]; struct { int anonymous; }; int level : 7; unsigned flags : 2; struct point *next; unsigned narrow; };
            typedef int (*handler_t)(struct shape *, int);
            enum color { RED, GREEN, GONE };
            enum big { HUGE = 0x100000000 };
            """;
        const string Kernel = """
            struct point { int pad; int y; int x; };
            struct shape { u64 front; struct point corners[6]; struct { union { struct { int anonymous; }; u64 wide; }; };
                struct point origin; unsigned keep : 1; int level : 7; unsigned flags : 2; struct point *next; u64 narrow; };
            typedef int (*handler_t)(struct shape *, int);
            enum color { GREEN = 5, BLUE = 6 };
            enum big { HUGE = 0x200000000 };
            """;
        var (local, kernel) = (CDeclParser.Parse(Program, "local"), CDeclParser.Parse(Kernel, "vmlinux"));
        int shape = local.FindId("shape", BtfKind.Struct), handler = local.FindId("handler_t", BtfKind.Typedef);
        int color = local.FindId("color", BtfKind.Enum), big = local.FindId("big", BtfKind.Enum64);
        yield return Encode(local, kernel, new(CoReKind.FieldByteOffset, Form.Load4, 4, shape, "0:0:1"),
            new(CoReKind.FieldByteSize, Form.Mov, 4, shape, "0:1:2:0"));
        yield return Encode(local, kernel, new(CoReKind.FieldExists, Form.Mov, 1, shape, "0:2:0"),
            new(CoReKind.FieldSigned, Form.Mov32, 1, shape, "0:3"));
        yield return Encode(local, kernel, new(CoReKind.FieldLshiftU64, Form.Mov, 0, shape, "0:4"),
            new(CoReKind.FieldRshiftU64, Form.Mov, 0, shape, "0:3"));
        yield return Encode(local, kernel, new(CoReKind.FieldByteOffset, Form.Load8, 48, shape, "0:5"),
            new(CoReKind.FieldByteOffset, Form.Load4, 56, shape, "0:6"));
        yield return Encode(local, kernel, new(CoReKind.FieldByteOffset, Form.StoreReg2, 2, shape, "1:5"),
            new(CoReKind.FieldExists, Form.Store1, 1, shape, "0:9"));
        yield return Encode(local, kernel, new(CoReKind.TypeIdLocal, Form.LdImm64, shape, shape, "0"),
            new(CoReKind.TypeIdTarget, Form.LdImm64, 0, shape, "0"));
        yield return Encode(local, kernel, new(CoReKind.TypeExists, Form.Mov, 1, handler, "0"),
            new(CoReKind.TypeSize, Form.Mov, 64, shape, "0"));
        yield return Encode(local, kernel, new Reloc(CoReKind.TypeMatches, Form.Mov, 1, handler, "0"));
        yield return Encode(local, kernel, new(CoReKind.EnumValExists, Form.Mov, 1, color, "1"),
            new(CoReKind.EnumValValue, Form.LdImm64High, 0, big, "0"));
        yield return Encode(
            kernel, local, new Reloc(CoReKind.TypeMatches, Form.Mov, 1, kernel.FindId("shape", BtfKind.Struct), "0"));
    }

    private static List<Reloc> ReadRelocs(ReadOnlySpan<byte> bytes, BtfSpec local)
    {
        var relocs = new List<Reloc>();
        while (bytes.Length >= RelocBytes && relocs.Count < RelocsMax)
        {
            var length = Math.Min(bytes[6], bytes.Length - RelocBytes);
            var access = Encoding.ASCII.GetString(bytes.Slice(RelocBytes, length));

            // The readers before this one see to it that the type exists.
            var type = BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]) % local.TypeCount;
            relocs.Add(new((CoReKind)bytes[0], (Form)(bytes[1] % (int)Form.Count),
                BinaryPrimitives.ReadInt16LittleEndian(bytes[2..]), type, access));
            bytes = bytes[(RelocBytes + length)..];
        }

        return relocs;
    }

    private static BpfInsn[] InsnsOf(Reloc reloc) => reloc.Form switch
    {
        Form.Load4 => [Asm.Ldx(BpfOp.W, Asm.R0, Asm.R1, (short)reloc.Value)],
        Form.Load8 => [Asm.Ldx(BpfOp.Dw, Asm.R0, Asm.R1, (short)reloc.Value)],
        Form.Store1 => [Asm.St(BpfOp.B, Asm.R1, (short)reloc.Value, 1)],
        Form.StoreReg2 => [Asm.Stx(BpfOp.H, Asm.R1, (short)reloc.Value, Asm.R2)],
        Form.Mov => [Asm.Mov(Asm.R0, reloc.Value)],
        Form.Mov32 => [Asm.Mov32(Asm.R0, reloc.Value)],
        Form.LdImm64 => Asm.LdImm64(Asm.R3, (ulong)reloc.Value),
        Form.LdImm64High => Asm.LdImm64(Asm.R3, (uint)reloc.Value | (1UL << 32)),
        _ => [Asm.Exit()],
    };

    private static bool Link(BtfSpec local, BtfSpec kernel, List<Reloc> relocs)
    {
        var (insns, records) = (new List<BpfInsn>(), new List<CoReReloc>());
        foreach (var reloc in relocs)
        {
            records.Add(new(insns.Count, reloc.Kind, reloc.TypeId, reloc.Access));
            insns.AddRange(InsnsOf(reloc));
        }

        var prog = new ProgSpec("fuzz", ProgType.Tracing, [.. insns]) { Btf = local, CoReRelocs = [.. records] };
        var sink = new DiagSink();
        var spec = new ObjectSpec("fuzz") { Progs = [prog], Btf = local };
        var linked =
            ObjectLinker.Link(spec, new KernelSpec(KernelProfile.Linux6_12, new KernelTypes(kernel)), sink).Progs[0];
        Finding.Unless((linked.LinkFault is null) == sink.IsEmpty, "a program that cannot be linked says why");
        Finding.Unless(linked.LinkFault is not null
            || linked.CoReRelocs.IsEmpty, "a linked program has no relocations");
        return linked.LinkFault is null;
    }

    private static byte[] Encode(BtfSpec local, BtfSpec kernel, params Reloc[] relocs)
    {
        var (first, second) = (local.ToBytes(), kernel.ToBytes());
        var bytes = new List<byte>();
        bytes.AddRange(BitConverter.GetBytes((ushort)first.Length));
        bytes.AddRange(BitConverter.GetBytes((ushort)second.Length));
        bytes.AddRange(first);
        bytes.AddRange(second);
        foreach (var reloc in relocs)
        {
            bytes.AddRange([(byte)reloc.Kind, (byte)reloc.Form]);
            bytes.AddRange(BitConverter.GetBytes((ushort)reloc.Value));
            bytes.AddRange(BitConverter.GetBytes((ushort)reloc.TypeId));
            bytes.Add((byte)reloc.Access.Length);
            bytes.AddRange(Encoding.ASCII.GetBytes(reloc.Access));
        }

        return [.. bytes];
    }
}
