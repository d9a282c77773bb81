namespace Kptr.Objects;

/// <summary>Doubly linked lists in native memory, under the caller's lock.</summary>
/// <remarks>
/// <code>
/// bpf_list_head:  0 next   8 prev                 zero next: never used
/// bpf_list_node:  0 next   8 prev   16 owner      owner is the head's address
/// </code>
/// </remarks>
internal static unsafe class GraphList
{
    internal const int OwnerOffset = 16;

    internal static ref ulong Next(ulong at) => ref *(ulong*)at;

    internal static ref ulong Prev(ulong at) => ref *(ulong*)(at + 8);

    internal static void Link(ulong head, ulong node, bool atTail)
    {
        InitIfNew(head);
        var prev = atTail ? Prev(head) : head;
        var next = atTail ? head : Next(head);
        Next(node) = next;
        Prev(node) = prev;
        Prev(next) = node;
        Next(prev) = node;
    }

    /// <summary>The first or last node, left in the list; 0 when empty.</summary>
    internal static ulong Peek(ulong head, bool atTail)
    {
        InitIfNew(head);
        var node = atTail ? Prev(head) : Next(head);
        return node == head ? 0 : node;
    }

    internal static void Unlink(ulong node)
    {
        Next(Prev(node)) = Next(node);
        Prev(Next(node)) = Prev(node);
        Next(node) = node;
        Prev(node) = node;
    }

    private static void InitIfNew(ulong head)
    {
        if (Next(head) == 0)
        {
            Next(head) = head;
            Prev(head) = head;
        }
    }
}
