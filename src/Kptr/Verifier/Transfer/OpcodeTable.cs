using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>Which opcodes exist in some kernel (<c>bpf_opcode_in_insntable</c>).</summary>
internal static class OpcodeTable
{
    private const byte ClassMask = 0x07;
    private static readonly bool[] Known = Build();

    public static bool IsKnown(byte opcode) => Known[opcode];

    /// <summary>Whether a kernel has an opcode.</summary>
    public static bool Has(KernelProfile profile, byte opcode) => opcode switch
    {
        (byte)InsnClass.Jmp | BpfOp.Jcond => profile.HasMayGoto,
        (byte)InsnClass.Stx | BpfOp.Atomic | BpfOp.B or (byte)InsnClass.Stx | BpfOp.Atomic | BpfOp.H =>
            profile.HasOrderedAccess,
        (byte)InsnClass.Alu64 | BpfOp.End or (byte)InsnClass.Jmp32 | BpfOp.Ja => profile.HasV4Insns,
        _ => (opcode & (ClassMask | BpfOp.ModeMask)) != ((byte)InsnClass.Ldx | BpfOp.Memsx)
            || profile.HasV4Insns,
    };

    private static bool[] Build()
    {
        var known = new bool[256];
        foreach (var cls in (InsnClass[])[InsnClass.Alu, InsnClass.Alu64])
        {
            byte[] ops =
                [BpfOp.Add, BpfOp.Sub, BpfOp.Mul, BpfOp.Div, BpfOp.Or, BpfOp.And, BpfOp.Lsh, BpfOp.Rsh, BpfOp.Mod,
                    BpfOp.Xor, BpfOp.Mov, BpfOp.Arsh];
            foreach (var op in ops)
            {
                known[(byte)cls | op] = known[(byte)cls | op | BpfOp.X] = true;
            }

            known[(byte)cls | BpfOp.Neg] = known[(byte)cls | BpfOp.End] = true;
        }

        known[(byte)InsnClass.Alu | BpfOp.End | BpfOp.X] = true;
        foreach (var cls in (InsnClass[])[InsnClass.Jmp, InsnClass.Jmp32])
        {
            for (var op = BpfOp.Jeq; op <= BpfOp.Jsle; op += 0x10)
            {
                if (op is not (BpfOp.Call or BpfOp.Exit))
                {
                    known[(byte)cls | op] = known[(byte)cls | op | BpfOp.X] = true;
                }
            }

            known[(byte)cls | BpfOp.Ja] = true;
        }

        known[(byte)InsnClass.Jmp | BpfOp.Call] = known[(byte)InsnClass.Jmp | BpfOp.Exit] = true;
        known[(byte)InsnClass.Jmp | BpfOp.Jcond] = true;
        foreach (var size in (byte[])[BpfOp.B, BpfOp.H, BpfOp.W, BpfOp.Dw])
        {
            known[(byte)InsnClass.Ldx | BpfOp.Mem | size] = known[(byte)InsnClass.Stx | BpfOp.Atomic | size] = true;
            known[(byte)InsnClass.St | BpfOp.Mem | size] = known[(byte)InsnClass.Stx | BpfOp.Mem | size] = true;
            if (size != BpfOp.Dw)
            {
                known[(byte)InsnClass.Ldx | BpfOp.Memsx | size] = true;
                known[(byte)InsnClass.Ld | BpfOp.Abs | size] = known[(byte)InsnClass.Ld | BpfOp.Ind | size] = true;
            }
        }

        known[BpfOp.LdImm64] = true;
        return known;
    }
}
