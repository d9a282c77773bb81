using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Isa;

/// <summary>Turns bytes into instruction slots and back, in the little-endian layout of <c>bpfel</c> objects.</summary>
/// <remarks>Lossless: <c>Encode(Decode(b))</c> is <c>b</c> for any bytes whose length is a multiple of eight.</remarks>
public static class InsnCodec
{
    /// <summary>Decodes whole slots.</summary>
    /// <exception cref="DiagnosticException">The length is no multiple of eight.</exception>
    public static ImmutableArray<BpfInsn> Decode(ReadOnlySpan<byte> bytes)
    {
        var sink = new DiagSink();
        return TryDecode(bytes, sink, out var insns) ? insns : throw new DiagnosticException(sink.All);
    }

    /// <summary>Decodes whole slots, or reports why it cannot.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, DiagSink sink, out ImmutableArray<BpfInsn> insns)
    {
        ArgumentNullException.ThrowIfNull(sink);
        if (bytes.Length % BpfInsn.SizeBytes != 0)
        {
            sink.Report(new Diagnostic(DiagCode.InsnTruncated, "the code's length is no multiple of 8 bytes")
            {
                OffsetBytes = bytes.Length / BpfInsn.SizeBytes * BpfInsn.SizeBytes,
            });
            insns = [];
            return false;
        }

        var all = ImmutableArray.CreateBuilder<BpfInsn>(bytes.Length / BpfInsn.SizeBytes);
        for (var at = 0; at < bytes.Length; at += BpfInsn.SizeBytes)
        {
            all.Add(DecodeOne(bytes[at..]));
        }

        insns = all.MoveToImmutable();
        return true;
    }

    /// <summary>Decodes the slot at the start of <paramref name="bytes"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than eight.</exception>
    public static BpfInsn DecodeOne(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..BpfInsn.SizeBytes];
        return new(
            bytes[0],
            bytes[1] & 0xf,
            bytes[1] >> 4,
            BinaryPrimitives.ReadInt16LittleEndian(bytes[2..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]));
    }

    /// <summary>Encodes slots.</summary>
    [SuppressMessage("Performance", "CA1819", Justification = "A fresh array for the caller to keep.")]
    public static byte[] Encode(ReadOnlySpan<BpfInsn> insns)
    {
        var bytes = new byte[insns.Length * BpfInsn.SizeBytes];
        for (var i = 0; i < insns.Length; i++)
        {
            EncodeOne(insns[i], bytes.AsSpan(i * BpfInsn.SizeBytes));
        }

        return bytes;
    }

    /// <summary>Encodes one slot into the first eight bytes of <paramref name="bytes"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer.</exception>
    public static void EncodeOne(BpfInsn insn, Span<byte> bytes)
    {
        bytes = bytes[..BpfInsn.SizeBytes];
        bytes[0] = insn.Opcode;
        bytes[1] = insn.Regs;
        BinaryPrimitives.WriteInt16LittleEndian(bytes[2..], insn.Off);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], insn.Imm);
    }

    /// <summary>The 64-bit constant of a two-slot load.</summary>
    public static ulong Imm64(BpfInsn first, BpfInsn second) => (uint)first.Imm | ((ulong)(uint)second.Imm << 32);
}
