using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Maps;

// Preallocated hashes with small keys and without special fields: the same steps as HashMap's, with everything known when compiled.
// They run no reader: elements are never given back while the map is there. The stock of spare and free elements is chosen by
// thread, not by modelled CPU, which nobody can tell apart where an element can own nothing.
public sealed unsafe partial class HashMap<TKey, TValue>
{
    // False: not now (a fault is armed, or the map is read-only, frozen or freed); the slow way knows the answer.
    private bool TryUpdatePlain(TKey key, in TValue value, MapUpdateFlags flags, out Errno err)
    {
        var bucket = BucketOf(key);
        var seq = bucket->Lock();
        if (IsWriteBlocked || Faults.IsArmed)
        {
            bucket->Unlock(seq);
            err = Errno.None;
            return false;
        }

        var link = FindLink(bucket, key);
        var old = *link;
        err = CheckExistence(old >= 0, flags);
        if (err == Errno.None)
        {
            var cpu = Environment.CurrentManagedThreadId & _cpuMask;
            var elem = old >= 0 ? TakeSpare(cpu) : Pool.Free!.Pop(cpu);
            if (elem >= 0)
            {
                var at = _base + ((nint)elem * StrideBytes);
                Unsafe.WriteUnaligned(at + ValueOffset, value);
                Unsafe.WriteUnaligned(at + KeyOffset, key);
                Volatile.Write(ref *(int*)at, bucket->Head);
                Volatile.Write(ref bucket->Head, elem);
                if (old >= 0)
                {
                    link = link == &bucket->Head ? (int*)at : link;
                    Volatile.Write(ref *link, *(int*)(_base + ((nint)old * StrideBytes)));
                    ReturnSpare(old, cpu);
                }
            }
            else
            {
                err = Errno.E2BIG;
            }
        }

        bucket->Unlock(seq);
        return true;
    }

    private bool TryDeletePlain(TKey key, out Errno err)
    {
        var bucket = BucketOf(key);
        var seq = bucket->Lock();
        if (IsWriteBlocked || Faults.IsArmed)
        {
            bucket->Unlock(seq);
            err = Errno.None;
            return false;
        }

        var link = FindLink(bucket, key);
        var old = *link;
        if (old >= 0)
        {
            Volatile.Write(ref *link, *(int*)(_base + ((nint)old * StrideBytes)));
        }

        bucket->Unlock(seq);
        err = old >= 0 ? Errno.None : Errno.ENOENT;
        if (old >= 0)
        {
            Pool.Free!.Push(old, Environment.CurrentManagedThreadId & _cpuMask);
        }

        return true;
    }

    // The link that leads to the key's element, or the one that ends the chain. Needs the bucket's lock.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int* FindLink(HashBucket* bucket, TKey key)
    {
        var link = &bucket->Head;
        while (*link >= 0)
        {
            var at = _base + ((nint)(*link) * StrideBytes);
            if (IsKey(at, key))
            {
                break;
            }

            link = (int*)at;
        }

        return link;
    }
}
