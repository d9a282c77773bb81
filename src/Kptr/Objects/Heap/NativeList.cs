namespace Kptr.Objects;

/// <summary>The kernel's linked lists (<c>struct list_head</c>: next, prev), for programs that walk them.</summary>
/// <remarks>
/// The model itself goes by its own collections; whoever changes one of those changes the list with it, under the same
/// lock. Readers need none: an element that is taken out still leads on.
/// </remarks>
internal static unsafe class NativeList
{
    /// <summary>Bytes of a head or link.</summary>
    internal const int SizeBytes = 2 * sizeof(ulong);

    /// <summary>Makes an empty list, or a link that is in none.</summary>
    internal static void Init(ulong head)
    {
        Volatile.Write(ref Next(head), head);
        Volatile.Write(ref Prev(head), head);
    }

    /// <summary>Puts a link that is in no list at the end of one.</summary>
    internal static void AddTail(ulong head, ulong link)
    {
        var last = Prev(head);
        Next(link) = head;
        Prev(link) = last;
        Volatile.Write(ref Next(last), link);
        Volatile.Write(ref Prev(head), link);
    }

    /// <summary>
    /// Takes a link out; does nothing for one that is in no list. Readers that are at it find the way on.
    /// </summary>
    /// <remarks>Kernel: <c>list_del_rcu</c>, with the way back led to itself.</remarks>
    internal static void Remove(ulong link)
    {
        var (next, prev) = (Next(link), Prev(link));
        if (prev == link)
        {
            return;
        }

        Volatile.Write(ref Prev(next), prev);
        Volatile.Write(ref Next(prev), next);
        Volatile.Write(ref Prev(link), link);
    }

    /// <summary>Puts one link into the place of another, which is in no list afterwards.</summary>
    internal static void Replace(ulong old, ulong link)
    {
        var (next, prev) = (Next(old), Prev(old));
        if (prev == old)
        {
            return;
        }

        Next(link) = next;
        Prev(link) = prev;
        Volatile.Write(ref Next(prev), link);
        Volatile.Write(ref Prev(next), link);
        Init(old);
    }

    private static ref ulong Next(ulong link) => ref *(ulong*)link;

    private static ref ulong Prev(ulong link) => ref *(ulong*)(link + sizeof(ulong));
}
