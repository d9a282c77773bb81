using Kptr.Btf;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The lists and trees of programs: who owns a node, and what becomes of it.</summary>
/// <remarks>
/// A node belongs to at most one root, whatever lock its callers hold: membership is claimed by one atomic step on the
/// node's owner word. Adding consumes the caller's reference even when it fails. Everything but <see cref="Free"/>
/// expects the caller to hold the root's spin lock. Kernel: <c>__bpf_list_add</c>, <c>__bpf_rbtree_add</c>...
/// (kernel/bpf/helpers.c, 6.12).
/// </remarks>
internal sealed unsafe class Graphs
{
    private const ulong Claimed = 1;
    private readonly KernelCore _core;

    internal Graphs(KernelCore core)
    {
        _core = core;
    }

    /// <summary>Puts a node at the front or back of a list.</summary>
    /// <returns><see cref="Errno.EINVAL"/> when it is in a list or tree already; the reference
    /// is dropped then.</returns>
    internal Errno ListPush(ulong head, ulong node, bool atTail, IProgramRun run)
    {
        if (!TryClaim(node, GraphList.OwnerOffset, run))
        {
            return Errno.EINVAL;
        }

        GraphList.Link(head, node, atTail);
        Settle("list", head, node, GraphList.OwnerOffset, run);
        return Errno.None;
    }

    /// <summary>Takes the first or last node out; its reference is the program's then. 0 when empty.</summary>
    internal ulong ListPop(ulong head, bool atTail, IProgramRun run)
    {
        var node = GraphList.Peek(head, atTail);
        if (node == 0 || !IsOwnedBy(node, GraphList.OwnerOffset, head))
        {
            return 0;
        }

        GraphList.Unlink(node);
        TakeOut("list", head, node, GraphList.OwnerOffset, run);
        return node;
    }

    /// <summary>Puts a node into a tree, behind all that it is not less than.</summary>
    /// <returns><see cref="Errno.EINVAL"/> when it is in a list or tree already; the reference
    /// is dropped then.</returns>
    internal Errno TreeAdd(ulong root, ulong node, Func<ulong, ulong, bool> less, IProgramRun run)
    {
        if (!TryClaim(node, GraphTree.OwnerOffset, run))
        {
            return Errno.EINVAL;
        }

        GraphTree.Link(root, node, less);
        Settle("rbtree", root, node, GraphTree.OwnerOffset, run);
        return Errno.None;
    }

    /// <summary>
    /// Takes a node out of a tree; its reference is the program's then. 0 when it is not in this tree.
    /// </summary>
    internal ulong TreeRemove(ulong root, ulong node, IProgramRun run)
    {
        if (!IsOwnedBy(node, GraphTree.OwnerOffset, root))
        {
            return 0;
        }

        GraphTree.Unlink(root, node);
        TakeOut("rbtree", root, node, GraphTree.OwnerOffset, run);
        return node;
    }

    /// <summary>
    /// Empties a list or tree whose memory dies: nodes are taken out under the lock and dropped after it.
    /// </summary>
    /// <param name="field">The root's field.</param>
    /// <param name="root">Its address.</param>
    /// <param name="spinLock">Address of the lock beside it; 0 where the caller alone knows the memory.</param>
    internal void Free(BtfField field, ulong root, ulong spinLock)
    {
        var isLocked = spinLock != 0 && KernelSpinLock.Lock(_core, spinLock);
        var nodes = Detach(field.Kind, root);
        if (isLocked)
        {
            KernelSpinLock.Unlock(_core, spinLock);
        }

        Drop(field.Kind, root, nodes);
    }

    /// <summary>Drops the nodes of a list or tree whose first word was taken out of its root.</summary>
    /// <param name="field">The root's field.</param>
    /// <param name="first">What the word held: the first node of the list, the top of the tree; 0 for nothing.</param>
    internal void FreeDetached(BtfField field, ulong first)
    {
        if (field.Kind == BtfFieldKind.RbRoot)
        {
            Drop(field.Kind, OwnerOf(first, GraphTree.OwnerOffset), GraphTree.InOrder(first));
            return;
        }

        var head = GraphList.Prev(first);
        List<ulong> nodes = [];
        for (var at = first; at != head; at = GraphList.Next(at))
        {
            nodes.Add(at);
        }

        Drop(field.Kind, head, nodes);
    }

    /// <summary>The nodes in a list or tree, in order; the caller holds the lock.</summary>
    internal static IReadOnlyList<ulong> NodesOf(BtfFieldKind kind, ulong root)
    {
        if (kind == BtfFieldKind.RbRoot)
        {
            return GraphTree.InOrder(GraphTree.Root(root));
        }

        List<ulong> nodes = [];
        for (var at = GraphList.Peek(root, atTail: false); at != 0 && at != root; at = GraphList.Next(at))
        {
            nodes.Add(at);
        }

        return nodes;
    }

    /// <summary>
    /// The objects that a list or tree seems to hold now, for callers without its lock: a program may be changing it.
    /// Never more than there are, and nothing is read that is no live object.
    /// </summary>
    internal List<ulong> ObjectsNow(BtfFieldKind kind, ulong root)
    {
        var isTree = kind == BtfFieldKind.RbRoot;
        List<ulong> objects = [];
        HashSet<ulong> seen = [];
        Stack<ulong> next = new([Volatile.Read(ref *(ulong*)root)]);
        while (next.TryPop(out var node))
        {
            if (node == 0 || node == root || !seen.Add(node)
                || !_core.Heap.TryFindRegion(node, isTree
                    ? GraphTree.OwnerOffset
                    : GraphList.OwnerOffset, out var region)
                || region.Object is not { } obj)
            {
                continue;
            }

            objects.Add(obj.Address);
            if (isTree)
            {
                next.Push(Volatile.Read(ref GraphTree.Right(node)));
                next.Push(Volatile.Read(ref GraphTree.Left(node)));
            }
            else
            {
                next.Push(Volatile.Read(ref GraphList.Next(node)));
            }
        }

        return objects;
    }

    /// <summary>The object that a node is in, or null.</summary>
    internal KernelObject? ObjectOf(ulong node) =>
        _core.Heap.TryFindRegion(node, 8, out var region) ? region.Object : null;

    private static ulong OwnerOf(ulong node, int ownerOffset) =>
        Volatile.Read(ref *(ulong*)(node + (ulong)ownerOffset));

    private static List<ulong> Detach(BtfFieldKind kind, ulong root)
    {
        List<ulong> nodes = [.. NodesOf(kind, root)];
        GraphList.Next(root) = 0;
        GraphList.Prev(root) = 0;
        return nodes;
    }

    private bool IsOwnedBy(ulong node, int ownerOffset, ulong root)
    {
        if (OwnerOf(node, ownerOffset) == root)
        {
            return true;
        }

        if (ownerOffset == GraphList.OwnerOffset)
        {
            _core.Report(new(DiagCode.GraphCorrupt, $"list {root:x} has a node that another owns"));
        }

        return false;
    }

    private bool TryClaim(ulong node, int ownerOffset, IProgramRun run)
    {
        if (Interlocked.CompareExchange(ref *(ulong*)(node + (ulong)ownerOffset), Claimed, 0) == 0)
        {
            return true;
        }

        if (ObjectOf(node) is { } obj)
        {
            ProgramRefs.Release(obj, run);
        }

        return false;
    }

    private void Settle(string word, ulong root, ulong node, int ownerOffset, IProgramRun run)
    {
        if (ObjectOf(node) is { } obj)
        {
            obj.Ledger.Move(obj, HolderKey.Run(run), HolderKey.Collection(word, root), run.Site);
        }

        Volatile.Write(ref *(ulong*)(node + (ulong)ownerOffset), root);
    }

    private void TakeOut(string word, ulong root, ulong node, int ownerOffset, IProgramRun run)
    {
        if (ObjectOf(node) is { } obj)
        {
            obj.Ledger.Move(obj, HolderKey.Collection(word, root), HolderKey.Run(run), run.Site);
        }

        Volatile.Write(ref *(ulong*)(node + (ulong)ownerOffset), 0);
    }

    // Owner words are cleared first: a refcounted node may outlive the root, and must not seem to be in a later root at
    // the same address (4a7910ee060d, 2026).
    private void Drop(BtfFieldKind kind, ulong root, List<ulong> nodes)
    {
        var isTree = kind == BtfFieldKind.RbRoot;
        foreach (var node in nodes)
        {
            GraphList.Next(node) = isTree ? 0 : node;
            GraphList.Prev(node) = isTree ? 0 : node;
            Volatile.Write(ref *(ulong*)(node + (ulong)(isTree ? GraphTree.OwnerOffset : GraphList.OwnerOffset)), 0);
        }

        var failures = default(Failures);
        foreach (var obj in nodes.Select(ObjectOf).OfType<KernelObject>())
        {
            obj.Ledger.Forget(obj, HolderKey.Collection(isTree ? "rbtree" : "list", root));
            try
            {
                obj.ReleaseCount();
            }
            catch (Exception e)
            {
                failures.Add(_core, e);
            }
        }

        failures.ThrowIfAny();
    }
}
