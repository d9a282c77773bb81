using System.Collections.Immutable;
using System.Text;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Soundness;

namespace Kptr.Fuzz;

/// <summary>
/// Assembler text: refused with diagnostics, or instructions whose text assembles to the same text again.
/// </summary>
internal static class AsmTarget
{
    internal static bool Run(byte[] input)
    {
        var sink = new DiagSink();
        var isRead = TextAssembler.TryAssemble(
            Encoding.UTF8.GetString(input), sink, out var program, GeneratedProgram.HelperOf);
        Finding.Unless(isRead == sink.IsEmpty, "a fault and a result exclude each other");
        if (!isRead)
        {
            return false;
        }

        InsnCheck.CheckAll(program!.Insns.AsSpan(), sink);
        var text = TextOf(program.Insns);
        Finding.Unless(text == TextOf(TextAssembler.Assemble(text).Insns), "what is printed reads back\n" + text);
        return true;
    }

    internal static IEnumerable<byte[]> Seeds() => Texts().Select(Encoding.UTF8.GetBytes);

    /// <summary>Programs of ours.</summary>
    internal static IEnumerable<string> Texts() =>
    [
        """
        start:
            r1 = 10                  // a comment
            w2 = -0x1                # another
            r3 = 0xfffffffff ll
            if r1 s> r2 goto start
            if w1 & 0x80 goto +1 <start+0x8>
            *(u8 *)(r10 - 8) = 7
            r0 = *(s16 *)(r1 + 2)
            r4 = (s32)r5
            r6 s/= -3
            r7 = atomic_fetch_or((u64 *)(r10 - 16), r7)
            lock *(u32 *)(r10 - 16) += w7
            r0 = cmpxchg_64(r10 - 16, r0, r1)
            r1 = bswap16 r1
            may_goto start
            call helper_one
            call sub
            r1 = tasks ll
            r2 = data+16 ll
            r0 = *(u8 *)skb[r1 + 4]
            ld_pseudo r1, 2, 3, 4
            call -3
            exit
        sub: exit
        """,
        .. SeedFiles.GoldenParts("asm").Where(t => t.Length is > 120 and < 900).Where((_, i) => i % 3 == 0).Take(24),
    ];

    private static string TextOf(ImmutableArray<BpfInsn> insns) =>
        string.Join('\n', Disassembler.Lines(insns, DisasmCpu.V4).Select(l => l.Text));
}
