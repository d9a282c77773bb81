using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>Nodes of lists and trees: <c>bpf_list_node</c>, <c>bpf_rb_node</c>, <c>bpf_refcount</c>, key.</summary>
internal static class GraphNodes
{
    internal const int ListOffset = 0;
    internal const int RbOffset = 24;
    internal const int CountOffset = 56;
    private const int KeyOffset = 64;

    internal static readonly BtfRecord NodeRecord = new(
    [
        new(BtfFieldKind.ListNode, "l", ListOffset, 24), new(BtfFieldKind.RbNode, "r", RbOffset, 32),
        new(BtfFieldKind.Refcount, "c", CountOffset, 4),
    ]);

    internal static readonly BtfField ListRoot =
        new(BtfFieldKind.ListHead, "head", 0, 16) { NodeOffsetBytes = ListOffset, Inner = NodeRecord };

    internal static readonly BtfField TreeRoot =
        new(BtfFieldKind.RbRoot, "root", 16, 16) { NodeOffsetBytes = RbOffset, Inner = NodeRecord };

    internal static AllocatedObject New(KernelCore core, FakeRun run, long key)
    {
        var made = core.NewObject(AllocatedTypes.Node, NodeRecord);
        core.Ledger.AcquiredByRun(made, run);
        At(made.Address + KeyOffset) = (ulong)key;
        return made;
    }

    internal static ulong Key(AllocatedObject node) => At(node.Address + KeyOffset);

    /// <summary>Compares by keys, as a program's callback would.</summary>
    internal static bool Less(ulong a, ulong b) => At(a - RbOffset + KeyOffset) < At(b - RbOffset + KeyOffset);

    internal static unsafe ref ulong At(ulong address) => ref *(ulong*)address;
}
