using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Lists and ordered trees of program objects; the caller holds the root's spin lock. Kernel:
/// kernel/bpf/helpers.c, 6.12.
/// </summary>
/// <remarks>Adding takes the object's reference over even when it fails; taking out gives it back.</remarks>
internal static class GraphKfuncs
{
    [Kfunc("bpf_list_push_front_impl",
        Prototype = "int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, "
            + "void *meta__ign, u64 off)")]
    [Kfunc("bpf_list_push_front", Profiles = ProfileSet.Linux7_2,
        Prototype = "int bpf_list_push_front(struct bpf_list_head *head, struct bpf_list_node *node)")]
    internal static Errno ListPushFront(ProgContext ctx, ulong head, ulong node) =>
        ListPush(ctx, head, node, atTail: false);

    [Kfunc("bpf_list_push_back_impl",
        Prototype = "int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, "
            + "void *meta__ign, u64 off)")]
    [Kfunc("bpf_list_push_back", Profiles = ProfileSet.Linux7_2,
        Prototype = "int bpf_list_push_back(struct bpf_list_head *head, struct bpf_list_node *node)")]
    internal static Errno ListPushBack(ProgContext ctx, ulong head, ulong node) =>
        ListPush(ctx, head, node, atTail: true);

    [Kfunc("bpf_list_pop_front", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Hooks = KfuncHooks.Tracing | KfuncHooks.Tc | KfuncHooks.StructOps, Profiles = ProfileSet.Linux6_2,
        Prototype = "struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head)")]
    [Kfunc("bpf_list_pop_front", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head)")]
    internal static ulong ListPopFront(ProgContext ctx, ulong head) => ListPop(ctx, head, atTail: false);

    [Kfunc("bpf_list_pop_back", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Hooks = KfuncHooks.Tracing | KfuncHooks.Tc | KfuncHooks.StructOps, Profiles = ProfileSet.Linux6_2,
        Prototype = "struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head)")]
    [Kfunc("bpf_list_pop_back", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head)")]
    internal static ulong ListPopBack(ProgContext ctx, ulong head) => ListPop(ctx, head, atTail: true);

    /// <summary>The first node, left in the list; 0 when it is empty.</summary>
    [Kfunc("bpf_list_front", KfuncFlags.RetNull, Profiles = ProfileSet.Linux7_2,
        Prototype = "struct bpf_list_node *bpf_list_front(struct bpf_list_head *head)")]
    internal static ulong ListFront(ProgContext ctx, ulong head) => ListPeek(ctx, head, atTail: false);

    /// <summary>The last node, left in the list; 0 when it is empty.</summary>
    [Kfunc("bpf_list_back", KfuncFlags.RetNull, Profiles = ProfileSet.Linux7_2,
        Prototype = "struct bpf_list_node *bpf_list_back(struct bpf_list_head *head)")]
    internal static ulong ListBack(ProgContext ctx, ulong head) => ListPeek(ctx, head, atTail: true);

    [Kfunc("bpf_rbtree_add_impl",
        Prototype = "int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, "
            + "bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *), void *meta__ign, u64 off)")]
    [Kfunc("bpf_rbtree_add", Profiles = ProfileSet.Linux7_2,
        Prototype = "int bpf_rbtree_add(struct bpf_rb_root *root, struct bpf_rb_node *node, "
            + "bool (*less)(struct bpf_rb_node *, const struct bpf_rb_node *))")]
    internal static Errno RbtreeAdd(ProgContext ctx, ulong root, ulong node, ulong less)
    {
        CheckRoot(ctx, root);
        CheckNode(ctx, node);
        return ctx.Core.Graphs.TreeAdd(root, node, (a, b) => ctx.Callbacks.Call(less, a, b) != 0, ctx);
    }

    [Kfunc("bpf_rbtree_remove", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node)")]
    internal static ulong RbtreeRemove(ProgContext ctx, ulong root, ulong node)
    {
        CheckRoot(ctx, root);
        CheckNode(ctx, node);
        return ctx.Core.Graphs.TreeRemove(root, node, ctx);
    }

    /// <summary>The smallest node, left in the tree; 0 when it is empty.</summary>
    [Kfunc("bpf_rbtree_first", KfuncFlags.RetNull,
        Prototype = "struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root)")]
    internal static ulong RbtreeFirst(ProgContext ctx, ulong root)
    {
        CheckRoot(ctx, root);
        return GraphTree.First(root);
    }

    private static Errno ListPush(ProgContext ctx, ulong head, ulong node, bool atTail)
    {
        CheckRoot(ctx, head);
        CheckNode(ctx, node);
        return ctx.Core.Graphs.ListPush(head, node, atTail, ctx);
    }

    private static ulong ListPop(ProgContext ctx, ulong head, bool atTail)
    {
        CheckRoot(ctx, head);
        return ctx.Core.Graphs.ListPop(head, atTail, ctx);
    }

    private static ulong ListPeek(ProgContext ctx, ulong head, bool atTail)
    {
        CheckRoot(ctx, head);
        return GraphList.Peek(head, atTail);
    }

    private static void CheckRoot(ProgContext ctx, ulong root) => ctx.KernelMemory(root, 2 * sizeof(ulong));

    private static void CheckNode(ProgContext ctx, ulong node)
    {
        if (ctx.Core.Graphs.ObjectOf(node) is not AllocatedObject { IsFreed: false })
        {
            throw new ProgramFaultException(DiagCode.CallBadObject, $"{node:x} is in no live object of a program");
        }
    }
}
