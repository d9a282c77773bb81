using System.Runtime.CompilerServices;

namespace Kptr.Maps;

// Tables whose elements all lie in one block. Needs the bucket's lock.
internal sealed unsafe partial class HashTable
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* At<TShape>(TShape shape, int elem)
        where TShape : struct, IElemShape => _firstElem + ((nint)elem * shape.StrideBytes);

    /// <summary>The link that leads to the key's element, or the one that ends the chain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int* FindLink<TShape>(TShape shape, HashBucket* bucket, byte* key)
        where TShape : struct, IElemShape
    {
        var link = &bucket->Head;
        while (*link >= 0)
        {
            var at = At(shape, *link);
            if (shape.IsKey(at, key))
            {
                break;
            }

            link = (int*)at;
        }

        return link;
    }

    /// <summary>Writes an element that nobody sees yet, and makes it the chain's first.</summary>
    /// <returns>Its own link.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int* Link<TShape>(TShape shape, HashBucket* bucket, int elem, byte* key, byte* value, ValueLayout layout)
        where TShape : struct, IElemShape
    {
        var at = At(shape, elem);
        shape.Fill(at, key, value, layout);
        Volatile.Write(ref *(int*)at, bucket->Head);
        Volatile.Write(ref bucket->Head, elem);
        return (int*)at;
    }

    /// <summary>Links an element in and unlinks another, in that order: who searches meanwhile finds one of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Replace<TShape>(TShape shape, HashBucket* bucket, int* link, int elem, byte* key, byte* value, ValueLayout layout)
        where TShape : struct, IElemShape
    {
        var old = (int*)At(shape, *link);
        var first = Link(shape, bucket, elem, key, value, layout);
        Volatile.Write(ref link == &bucket->Head ? ref *first : ref *link, *old);
    }
}
