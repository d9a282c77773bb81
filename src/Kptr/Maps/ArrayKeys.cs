using System.Buffers.Binary;
using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>The keys of array-like maps: indexes from 0.</summary>
internal static class ArrayKeys
{
    internal static uint IndexOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt32LittleEndian(key);

    /// <summary>The index after a key; an empty or too large one starts over.</summary>
    internal static Errno Next(uint count, ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        var index = key.IsEmpty ? uint.MaxValue : IndexOf(key);
        if (index == count - 1)
        {
            return Errno.ENOENT;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(nextKey, index >= count ? 0 : index + 1);
        return Errno.None;
    }
}
