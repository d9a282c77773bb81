using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>Where key and value lie in an element.</summary>
/// <remarks>
/// Maps whose key and value are C# structs have one of constants, all others one of fields. What works on elements is inlined
/// for each, so there is one text for two machine codes.
/// </remarks>
internal interface IElemShape
{
    /// <summary>Bytes of the key.</summary>
    int KeySize { get; }

    /// <summary>Bytes of the value.</summary>
    int ValueSize { get; }

    /// <summary>The value has no special fields.</summary>
    bool IsPlain { get; }
}

/// <summary>A shape that is known when the map is made.</summary>
internal readonly record struct ElemShape(int KeySize, int ValueSize, bool IsPlain) : IElemShape;

/// <summary>A shape that is known when the machine code is made.</summary>
internal readonly unsafe struct ElemShape<TKey, TValue>(bool isPlain) : IElemShape
    where TKey : unmanaged
    where TValue : unmanaged
{
    public int KeySize => sizeof(TKey);

    public int ValueSize => sizeof(TValue);

    public bool IsPlain => isPlain;
}

/// <summary>What can be done with an element of a known shape.</summary>
internal static unsafe class ElemShapeExtensions
{
    extension<TShape>(TShape shape)
        where TShape : struct, IElemShape
    {
        internal int KeyOffset => shape.KeySize <= 4 ? 4 : 8;

        internal int ValueOffset => (shape.KeyOffset + shape.KeySize + 7) & ~7;

        internal int StrideBytes => shape.ValueOffset + ((shape.ValueSize + 7) & ~7);

        /// <summary>Whether an element has this key.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal bool IsKey(byte* elem, byte* key) => shape.KeySize switch
        {
            sizeof(uint) => *(uint*)(elem + sizeof(uint)) == *(uint*)key,
            sizeof(ulong) => *(ulong*)(elem + sizeof(ulong)) == *(ulong*)key,
            _ => new ReadOnlySpan<byte>(elem + shape.KeyOffset, shape.KeySize).SequenceEqual(new(key, shape.KeySize)),
        };

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal uint HashOf(byte* key, int bits) => shape.KeySize switch
        {
            sizeof(uint) => KeyHash.Of4(*(uint*)key, bits),
            sizeof(ulong) => KeyHash.Of8(*(ulong*)key, bits),
            _ => KeyHash.Of(new(key, shape.KeySize), bits),
        };

        /// <summary>Writes key and value of an element that nobody sees yet; special fields of the value keep what they hold.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void Fill(byte* elem, byte* key, byte* value, ValueLayout layout)
        {
            switch (shape.KeySize)
            {
                case sizeof(uint):
                    *(uint*)(elem + sizeof(uint)) = *(uint*)key;
                    break;
                case sizeof(ulong):
                    *(ulong*)(elem + sizeof(ulong)) = *(ulong*)key;
                    break;
                default:
                    Unsafe.CopyBlockUnaligned(elem + shape.KeyOffset, key, (uint)shape.KeySize);
                    break;
            }

            if (shape.IsPlain && typeof(TShape) != typeof(ElemShape))
            {
                // Of a size that is known here: a few moves.
                Unsafe.CopyBlockUnaligned(elem + shape.ValueOffset, value, (uint)shape.ValueSize);
            }
            else
            {
                layout.CopyIn(elem + shape.ValueOffset, value);
            }
        }
    }
}
