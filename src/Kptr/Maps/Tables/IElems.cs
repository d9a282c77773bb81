using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>Where the elements of a table lie.</summary>
/// <remarks>What searches and writes is generic over this: one text, and a machine code for each way.</remarks>
internal unsafe interface IElems
{
    /// <summary>Bytes in front of an element's value.</summary>
    nint PrefixBytes { get; }

    /// <summary>Finds an element by its number.</summary>
    /// <returns>False where there is none: at the end of a chain, and in memory that is no map's any more.</returns>
    bool TryAt(int index, out byte* elem);
}

/// <summary>Elements in any memory.</summary>
internal readonly unsafe struct AnyElems(ValuePool pool) : IElems
{
    public nint PrefixBytes => pool.PrefixBytes;

    public bool TryAt(int index, out byte* elem)
    {
        var isThere = (uint)index < (uint)pool.SlotCount;
        elem = isThere ? pool.SlotOf(index) : null;
        return isThere;
    }
}

/// <summary>Elements in one block. A table whose elements are not in one seems empty.</summary>
internal readonly unsafe struct BlockElems(HashTable table) : IElems
{
    public nint PrefixBytes => table.PrefixBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAt(int index, out byte* elem)
    {
        elem = table.FirstElem + ((nint)(uint)index * table.StrideBytes);
        return (uint)index < table.SlotsInBlock;
    }
}

/// <summary>
/// Elements in one block, made of a key and a value whose sizes are known when the machine code is made.
/// </summary>
internal readonly unsafe struct StructElems<TKey, TValue>(HashTable table) : IElems
    where TKey : unmanaged
    where TValue : unmanaged
{
    public nint PrefixBytes => ((sizeof(TKey) <= 4 ? 4 : 8) + sizeof(TKey) + 7) & ~7;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAt(int index, out byte* elem)
    {
        elem = table.FirstElem + ((nint)(uint)index * (PrefixBytes + ((sizeof(TValue) + 7) & ~7)));
        return (uint)index < table.SlotsInBlock;
    }
}
