namespace Kptr.Objects;

/// <summary>Ordered trees in native memory, under the caller's lock.</summary>
/// <remarks>
/// <code>
/// bpf_rb_root:  0 root node   8 (unused)
/// bpf_rb_node:  0 parent   8 right   16 left   24 owner      owner is the root's address
/// </code>
/// Programs see the order and never the shape. The shape is a treap: a heap by a hash of the node's address, so it is
/// balanced without any bookkeeping in the node.
/// </remarks>
internal static unsafe class GraphTree
{
    internal const int OwnerOffset = 24;

    internal static ref ulong Root(ulong root) => ref *(ulong*)root;

    internal static ref ulong Parent(ulong node) => ref *(ulong*)node;

    internal static ref ulong Right(ulong node) => ref *(ulong*)(node + 8);

    internal static ref ulong Left(ulong node) => ref *(ulong*)(node + 16);

    /// <summary>Puts a node behind all that it is not less than.</summary>
    internal static void Link(ulong root, ulong node, Func<ulong, ulong, bool> less)
    {
        ulong parent = 0;
        ref var link = ref Root(root);
        while (link != 0)
        {
            parent = link;
            link = ref less(node, parent) ? ref Left(parent) : ref Right(parent);
        }

        link = node;
        Parent(node) = parent;
        Left(node) = 0;
        Right(node) = 0;
        while (Parent(node) != 0 && Priority(node) > Priority(Parent(node)))
        {
            RotateUp(root, node);
        }
    }

    internal static void Unlink(ulong root, ulong node)
    {
        while (Left(node) != 0 || Right(node) != 0)
        {
            var left = Left(node);
            var right = Right(node);
            RotateUp(root, right == 0 || (left != 0 && Priority(left) > Priority(right)) ? left : right);
        }

        Replace(root, Parent(node), node, 0);
        Parent(node) = 0;
    }

    /// <summary>The smallest node; 0 when empty.</summary>
    internal static ulong First(ulong root)
    {
        var at = Root(root);
        while (at != 0 && Left(at) != 0)
        {
            at = Left(at);
        }

        return at;
    }

    /// <summary>The nodes below and including one, in order.</summary>
    internal static List<ulong> InOrder(ulong top)
    {
        List<ulong> nodes = [];
        var stack = new Stack<ulong>();
        for (var at = top; at != 0 || stack.Count > 0; at = Right(at))
        {
            for (; at != 0; at = Left(at))
            {
                stack.Push(at);
            }

            at = stack.Pop();
            nodes.Add(at);
        }

        return nodes;
    }

    private static ulong Priority(ulong node)
    {
        var x = node * 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        return x ^ (x >> 27);
    }

    private static void RotateUp(ulong root, ulong node)
    {
        var parent = Parent(node);
        Replace(root, Parent(parent), parent, node);
        if (Left(parent) == node)
        {
            Adopt(parent, ref Left(parent), Right(node));
            Adopt(node, ref Right(node), parent);
        }
        else
        {
            Adopt(parent, ref Right(parent), Left(node));
            Adopt(node, ref Left(node), parent);
        }
    }

    private static void Adopt(ulong parent, ref ulong link, ulong child)
    {
        link = child;
        if (child != 0)
        {
            Parent(child) = parent;
        }
    }

    private static void Replace(ulong root, ulong parent, ulong old, ulong node)
    {
        ref var link = ref parent == 0
            ? ref Root(root)
            : ref Left(parent) == old ? ref Left(parent) : ref Right(parent);
        link = node;
        if (node != 0)
        {
            Parent(node) = parent;
        }
    }
}
