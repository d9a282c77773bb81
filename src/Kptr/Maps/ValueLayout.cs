using System.Runtime.CompilerServices;
using Kptr.Btf;

namespace Kptr.Maps;

/// <summary>
/// Which bytes of a value are plain and which belong to special fields; the only code that copies values.
/// </summary>
/// <remarks>
/// Special fields are opaque: their bytes change through their own operations only. A copy routine that skipped just
/// one of two fields let user space overwrite a live timer (a8abb0c3dc1e, 2022), hence one list of plain segments for
/// all. Kernel: <c>bpf_obj_memcpy</c> and <c>bpf_obj_memzero</c> (include/linux/bpf.h, 6.12).
/// </remarks>
internal sealed unsafe class ValueLayout
{
    private const BtfFieldKind OwningKinds = BtfFieldKind.Kptr | BtfFieldKind.Uptr | BtfFieldKind.GraphRoot;
    private const BtfFieldKind AsyncKinds = BtfFieldKind.Timer | BtfFieldKind.Workqueue | BtfFieldKind.TaskWork;
    private const int CallWorthwhileBytes = 64;
    /// <summary>Keys and values are smaller; what is reckoned from them then fits 32 bits.</summary>
    internal const int SizeMax = 1 << 30;

    private readonly (int Offset, int Length)[] _plain;
    private readonly int[] _owning;

    internal ValueLayout(BtfRecord record, int valueSize)
    {
        Record = record;
        ValueSize = valueSize;
        StrideBytes = RoundUp8(valueSize);
        LockOffset = record.Fields.FirstOrDefault(f => f.Kind is BtfFieldKind.SpinLock)?.OffsetBytes ?? -1;
        _plain = [.. PlainSegments(record, valueSize)];
        _owning = [.. record.Fields.Where(f => (f.Kind & OwningKinds) != 0).Select(f => f.OffsetBytes)];
    }

    internal BtfRecord Record { get; }

    internal int ValueSize { get; }

    /// <summary>
    /// Distance between values that lie side by side, and the size of one CPU's part in a system call.
    /// </summary>
    internal int StrideBytes { get; }

    /// <summary>Offset of the <c>bpf_spin_lock</c>, or -1.</summary>
    internal int LockOffset { get; }

    internal bool HasSpecials => Record.Fields.Length != 0;

    /// <summary>
    /// Whether there are timers or work queues, which end by cancellation even where nothing is owned.
    /// </summary>
    internal bool HasAsync => Record.Has(AsyncKinds);

    internal static int RoundUp8(int size) => (size + 7) & ~7;

    /// <summary>
    /// Copies the plain bytes of a value into value memory; special fields there keep what they hold.
    /// </summary>
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

    /// <inheritdoc cref="CopyIn(ulong, ReadOnlySpan{byte})"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CopyIn(byte* value, byte* source)
    {
        foreach (var (offset, length) in _plain)
        {
            Copy(value + offset, source + offset, length);
        }
    }

    /// <summary>Whether a special field of the value holds something that its end would have to destroy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool OwnsAnything(byte* value)
    {
        foreach (var offset in _owning)
        {
            if (Volatile.Read(ref *(ulong*)(value + offset)) != 0)
            {
                return true;
            }
        }

        return false;
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
    internal void ZeroPlain(ulong value) => FillPlain(value, 0);

    /// <summary>Fills the plain bytes of value memory; special fields keep what they hold.</summary>
    internal void FillPlain(ulong value, byte with)
    {
        foreach (var (offset, length) in _plain)
        {
            new Span<byte>((void*)(value + (ulong)offset), length).Fill(with);
        }
    }

    // Values are small: a loop over their words is done before a call to copy memory would begin.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(byte* to, byte* from, int length)
    {
        if (length > CallWorthwhileBytes)
        {
            Unsafe.CopyBlockUnaligned(to, from, (uint)length);
            return;
        }

        for (; length >= sizeof(ulong); length -= sizeof(ulong), to += sizeof(ulong), from += sizeof(ulong))
        {
            *(ulong*)to = *(ulong*)from;
        }

        for (; length > 0; length--)
        {
            *to++ = *from++;
        }
    }

    // All ones in the bytes of plain segments. Little-endian, as the model is.
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
