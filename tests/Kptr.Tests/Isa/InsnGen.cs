using FsCheck;
using FsCheck.Fluent;
using Kptr.Isa;

namespace Kptr.Tests.Isa;

/// <summary>Random instructions for properties: any bits at all, and encodings that the kernel takes.</summary>
public static class InsnGen
{
    public static Gen<BpfInsn> Any { get; } =
        from op in Gen.Choose(0, 255)
        from regs in Gen.Choose(0, 255)
        from off in Gen.Choose(short.MinValue, short.MaxValue)
        from imm in Gen.Choose(int.MinValue, int.MaxValue)
        select new BpfInsn((byte)op, regs & 0xf, regs >> 4, (short)off, imm);

    /// <summary>
    /// Instructions whose fields are drawn from what is often legal, filtered by <see cref="InsnCheck.Fault"/>.
    /// </summary>
    public static Gen<BpfInsn[]> Legal { get; } =
        (from op in Gen.Choose(0, 255).Where(o => InsnCheck.IsKnownOpcode((byte)o))
         from dst in Gen.Elements(0, 0, 1, 2, 5, 9, 10)
         from src in Gen.Elements(0, 0, 0, 1, 2, 3, 10)
         from off in Gen.Elements(0, 0, 0, 1, 8, 16, 32, -8, -1, short.MinValue, short.MaxValue)
         from imm in Gen.Elements(0, 0, 0, 1, 16, 32, 64, -1, 7, 0x41, 0x51, 0xa1, 0x40, 0xe1, 0xf1, 1 << 16,
             int.MaxValue, int.MinValue)
         from high in Gen.Elements(0, 1, -1, int.MinValue)
         select Slots(new BpfInsn((byte)op, dst, src, (short)off, imm), high))
        .Where(s => InsnCheck.Fault(s[0], s.Length > 1 ? s[1] : null) is null);

    private static BpfInsn[] Slots(BpfInsn insn, int high) =>
        insn.Opcode == BpfOp.LdImm64 ? [insn, new BpfInsn(0, 0, 0, 0, high)] : [insn];
}
