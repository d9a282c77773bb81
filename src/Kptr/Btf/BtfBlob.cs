using System.Runtime.InteropServices;

namespace Kptr.Btf;

/// <summary>
/// Bytes of raw BTF: a part of an array, kept as such because asking a memory for its span costs more.
/// </summary>
internal sealed class BtfBlob
{
    private readonly byte[] _array;
    private readonly int _start;

    private BtfBlob(byte[] array, int start, int length) => (_array, _start, Length) = (array, start, length);

    internal int Length { get; }

    internal ReadOnlySpan<byte> Span => _array.AsSpan(_start, Length);

    internal static BtfBlob Of(ReadOnlyMemory<byte> data)
    {
        if (MemoryMarshal.TryGetArray(data, out var segment) && segment.Array is { } array)
        {
            return new(array, segment.Offset, segment.Count);
        }

        return new(data.ToArray(), 0, data.Length);
    }
}

/// <summary>The two sections of a BTF; types are words of this machine's byte order, whatever the file had.</summary>
internal sealed class BtfBytes(
    BtfBlob types, int typesStart, int typesLength, BtfBlob strings, int stringsStart, int stringsLength)
{
    /// <summary>
    /// What a kernel has against the way header and sections fill the file; null where it has nothing.
    /// </summary>
    internal string? LayoutFault { get; init; }

    internal int StringsLength => stringsLength;

    internal ReadOnlySpan<uint> Types => MemoryMarshal.Cast<byte, uint>(types.Span.Slice(typesStart, typesLength));

    internal ReadOnlySpan<byte> Strings => strings.Span.Slice(stringsStart, stringsLength);
}
