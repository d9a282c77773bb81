using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Verifier;
using Kptr.Verifier.State;

namespace Kptr;

/// <summary>
/// Leads a program's loads to where things lie: 32-bit packet pointers of its context to the 64-bit ones behind it, and
/// fields of <c>struct bpf_sock</c> to the part of a socket that is laid out like that.
/// </summary>
/// <remarks>
/// Every instruction keeps its slot. Kernel: <c>convert_ctx_accesses</c> (kernel/bpf/verifier.c, 6.12).
/// </remarks>
internal static class ContextRewriter
{
    private const byte LoadWord = (byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.W;
    private const byte LoadDouble = (byte)InsnClass.Ldx | BpfOp.Mem | BpfOp.Dw;

    internal static ProgSpec Apply(VerifiedProgram verified, KernelCore core)
    {
        var prog = verified.Spec;
        var context = ContextLayout.Of(prog.Type);
        var insns = prog.Insns.ToBuilder();
        var isChanged = false;
        for (var i = 0; i < insns.Count && i < verified.Accesses.Length; i++)
        {
            if (Rewrite(insns[i], verified.Accesses[i], context, core) is { } changed)
            {
                insns[i] = changed;
                isChanged = true;
            }
        }

        return isChanged ? prog with { Insns = insns.ToImmutable() } : prog;
    }

    private static BpfInsn? Rewrite(BpfInsn insn, RegType through, ContextLayout? context, KernelCore core) =>
        insn.Class != InsnClass.Ldx ? null : through switch
        {
            RegType.PtrToCtx when insn.Opcode == LoadWord && context?.ShadowOf(insn.Off) is >= 0 and var at =>
                new BpfInsn(LoadDouble, insn.Dst, insn.Src, (short)at, insn.Imm),
            RegType.PtrToSocket or RegType.PtrToSockCommon => Moved(insn, Sock.SockViewBytes(core)),
            RegType.PtrToTcpSock => Moved(insn, Sock.TcpViewBytes(core)),
            _ => null,
        };

    private static BpfInsn Moved(BpfInsn insn, int bytes) =>
        new(insn.Opcode, insn.Dst, insn.Src, checked((short)(insn.Off + bytes)), insn.Imm);
}
