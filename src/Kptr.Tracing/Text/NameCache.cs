using System.Text;

namespace Kptr.Tracing.Text;

/// <summary>Strings of the names that a trace repeats: as many as it has slots, whatever comes.</summary>
internal sealed class NameCache
{
    private const int SlotCount = 4096;
    private const int NameBytesMax = 64;
    private readonly (byte[] Bytes, string Text)[] _slots = new (byte[], string)[SlotCount];

    /// <summary>The string of some bytes; what is no UTF-8 becomes replacement characters.</summary>
    internal string Get(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return "";
        }

        if (bytes.Length > NameBytesMax)
        {
            return Encoding.UTF8.GetString(bytes);
        }

        ref var slot = ref _slots[SlotOf(bytes)];
        if (slot.Bytes is null || !bytes.SequenceEqual(slot.Bytes))
        {
            slot = (bytes.ToArray(), Encoding.UTF8.GetString(bytes));
        }

        return slot.Text;
    }

    // FNV-1a.
    private static uint SlotOf(ReadOnlySpan<byte> bytes)
    {
        var hash = 2166136261u;
        foreach (var value in bytes)
        {
            hash = (hash ^ value) * 16777619;
        }

        return (hash ^ (hash >> 15)) % SlotCount;
    }
}
