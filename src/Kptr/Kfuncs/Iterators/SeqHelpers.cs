using System.Text;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Output of iterator programs. Kernel: kernel/trace/bpf_trace.c, 6.12.</summary>
internal static class SeqHelpers
{
    [Helper(HelperId.SeqPrintf)]
    internal static Errno Printf(ProgContext ctx, ulong seq, ulong format, uint size, ulong data, uint dataLength)
    {
        if (!PrintHelpers.TryArgs(ctx, data, dataLength, out var args)
            || !BpfFormat.TryFormat(ctx, ctx.Memory(format, (int)size, isWrite: false), args, out var text))
        {
            return Errno.EINVAL;
        }

        FileAt(ctx, seq).Write(Encoding.UTF8.GetBytes(text));
        return Errno.None;
    }

    [Helper(HelperId.SeqWrite)]
    internal static Errno Write(ProgContext ctx, ulong seq, ulong data, uint length)
    {
        FileAt(ctx, seq).Write(ctx.Memory(data, (int)length, isWrite: false));
        return Errno.None;
    }

    private static SeqFile FileAt(ProgContext ctx, ulong seq) => ctx.Seq is { } file && file.Address == seq
        ? file : throw new ProgramFaultException(DiagCode.CallBadObject, $"{seq:x} is no seq_file of this run");
}
