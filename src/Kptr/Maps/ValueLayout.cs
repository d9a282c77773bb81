using System.Runtime.CompilerServices;
using Kptr.Btf;

namespace Kptr.Maps;

/// <summary>Which bytes of a value are plain and which belong to special fields; the only code that copies values.</summary>
/// <remarks>
/// Special fields are opaque: their bytes change through their own operations only. A copy routine that skipped just one
/// of two fields let user space overwrite a live timer (a8abb0c3dc1e, 2022), hence one list of plain segments for all.
/// Kernel: <c>bpf_obj_memcpy</c> and <c>bpf_obj_memzero</c> (include/linux/bpf.h, 6.12).
/// </remarks>
internal sealed unsafe class ValueLayout
{
    private readonly (int Offset, int Length)[] _plain;

    internal ValueLayout(BtfRecord record, int valueSize)
    {
        Record = record;
        ValueSize = valueSize;
        StrideBytes = RoundUp8(valueSize);
        LockOffset = record.Fields.FirstOrDefault(f => f.Kind is BtfFieldKind.SpinLock)?.OffsetBytes ?? -1;
        _plain = [.. PlainSegments(record, valueSize)];
    }

    internal BtfRecord Record { get; }

    internal int ValueSize { get; }

    /// <summary>Distance between values that lie side by side, and the size of one CPU's part in a system call.</summary>
    internal int StrideBytes { get; }

    /// <summary>Offset of the <c>bpf_spin_lock</c>, or -1.</summary>
    internal int LockOffset { get; }

    internal bool HasSpecials => Record.Fields.Length != 0;

    internal static int RoundUp8(int size) => (size + 7) & ~7;

    /// <summary>Copies the plain bytes of a value into value memory; special fields there keep what they hold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CopyIn(ulong value, ReadOnlySpan<byte> source)
    {
        if (!HasSpecials)
        {
            source[..ValueSize].CopyTo(new Span<byte>((void*)value, ValueSize));
            return;
        }

        foreach (var (offset, length) in _plain)
        {
            source.Slice(offset, length).CopyTo(new Span<byte>((void*)(value + (ulong)offset), length));
        }
    }

    /// <summary>Copies the plain bytes of a value out; special fields read as zero.</summary>
    internal void CopyOut(Span<byte> target, ulong value)
    {
        if (!HasSpecials)
        {
            new ReadOnlySpan<byte>((void*)value, ValueSize).CopyTo(target);
            return;
        }

        target[..ValueSize].Clear();
        foreach (var (offset, length) in _plain)
        {
            new ReadOnlySpan<byte>((void*)(value + (ulong)offset), length).CopyTo(target[offset..]);
        }
    }

    /// <summary>Zeroes the plain bytes of value memory; special fields keep what they hold.</summary>
    internal void ZeroPlain(ulong value)
    {
        foreach (var (offset, length) in _plain)
        {
            new Span<byte>((void*)(value + (ulong)offset), length).Clear();
        }
    }

    private static IEnumerable<(int Offset, int Length)> PlainSegments(BtfRecord record, int valueSize)
    {
        var at = 0;
        foreach (var field in record.Fields.OrderBy(f => f.OffsetBytes))
        {
            if (field.OffsetBytes > at)
            {
                yield return (at, field.OffsetBytes - at);
            }

            at = Math.Max(at, field.OffsetBytes + field.SizeBytes);
        }

        if (at < valueSize)
        {
            yield return (at, valueSize - at);
        }
    }
}
