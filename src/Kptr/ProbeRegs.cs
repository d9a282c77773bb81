using System.Buffers.Binary;

namespace Kptr;

/// <summary>The registers that a kprobe sees at a function (<c>struct pt_regs</c> of x86-64).</summary>
internal static class ProbeRegs
{
    private const int SizeBytes = 168;
    private const int Result = 80; // ax
    private const int Ip = 128;

    /// <summary>Where the first six arguments are: di, si, dx, cx, r8, r9.</summary>
    private static ReadOnlySpan<int> Args => [112, 104, 96, 88, 72, 64];

    internal static byte[] Of(ReadOnlySpan<ulong> args, long result, ulong address)
    {
        var regs = new byte[SizeBytes];
        for (var i = 0; i < Math.Min(args.Length, Args.Length); i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(regs.AsSpan(Args[i]), args[i]);
        }

        BinaryPrimitives.WriteInt64LittleEndian(regs.AsSpan(Result), result);
        BinaryPrimitives.WriteUInt64LittleEndian(regs.AsSpan(Ip), address);
        return regs;
    }
}
