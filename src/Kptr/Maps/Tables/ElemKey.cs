using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>A key that is looked for: how it is hashed, compared with an element's, and written into one.</summary>
/// <remarks>
/// The search of a hash stands once, generic over this; the JIT makes one machine code for each kind of key. Keys of 4
/// and 8 bytes are values: a key whose address is taken would leave its register.
/// </remarks>
internal unsafe interface IElemKey
{
    /// <summary>The hash; its low <paramref name="bits"/> bits choose the bucket.</summary>
    uint HashOf(int bits);

    /// <summary>Whether an element has this key.</summary>
    bool IsAt(byte* elem);

    /// <summary>Gives an element this key.</summary>
    void WriteTo(byte* elem);
}

/// <summary>A key of four bytes.</summary>
internal readonly unsafe struct Key4(uint value) : IElemKey
{
    private const int Offset = 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint HashOf(int bits) => KeyHash.Of4(value, bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsAt(byte* elem) => *(uint*)(elem + Offset) == value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteTo(byte* elem) => *(uint*)(elem + Offset) = value;
}

/// <summary>A key of eight bytes.</summary>
internal readonly unsafe struct Key8(ulong value) : IElemKey
{
    private const int Offset = 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint HashOf(int bits) => KeyHash.Of8(value, bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsAt(byte* elem) => *(ulong*)(elem + Offset) == value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteTo(byte* elem) => *(ulong*)(elem + Offset) = value;
}

/// <summary>A key of any other size.</summary>
/// <param name="at">Its bytes.</param>
/// <param name="size">How many.</param>
internal readonly unsafe struct KeyBytes(byte* at, int size) : IElemKey
{
    public uint HashOf(int bits) => KeyHash.Of(new(at, size), bits);

    public bool IsAt(byte* elem) =>
        new ReadOnlySpan<byte>(elem + HashTable.KeyOffsetOf(size), size).SequenceEqual(new(at, size));

    public void WriteTo(byte* elem) => Unsafe.CopyBlockUnaligned(elem + HashTable.KeyOffsetOf(size), at, (uint)size);
}
