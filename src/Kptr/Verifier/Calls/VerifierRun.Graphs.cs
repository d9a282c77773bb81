using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Verifier.Callees;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>The lists and trees that spin locks protect.</content>
internal sealed partial class VerifierRun
{
    private void CheckGraphRoot(int i, BtfFieldKind kind, KfuncCallMeta meta)
    {
        var regno = i + 1;
        ref readonly var reg = ref Reg(regno);
        if (reg.Type is not (RegType.PtrToMapValue or LocalObject))
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} expected pointer to map value or allocated object", regno);
        }

        if (reg.Type == LocalObject)
        {
            RequireOwned(regno, reg);
        }

        var name = FieldKindName(kind);
        RequireConstOffset(regno, reg, name);
        var off = reg.Off + (int)reg.Var.ConstValue;
        var record = RecordOf(reg);
        var field = FieldStartingAt(record, off, kind);
        if (field is null)
        {
            Reject(DiagCode.GraphMisuse, $"{name} not found at offset={off}", regno);
        }

        CheckRootLocked(regno, reg, record, name);
        meta.Root = field;
    }

    private void RequireConstOffset(int regno, in RegState reg, string name)
    {
        if (!reg.Var.IsConst)
        {
            Reject(DiagCode.GraphMisuse,
                $"R{regno} doesn't have constant offset. {name} has to be at the constant offset", regno);
        }
    }

    private void CheckRootLocked(int regno, in RegState reg, BtfRecord record, string name)
    {
        var owner = LockOwnerOf(reg);
        if (Cur.Lock?.Find(owner, reg.Id) is not null)
        {
            return;
        }

        if (Cur.LockHeld)
        {
            Log.Line("held lock and object are not in the same allocation");
        }

        var at = FieldOfKind(record, BtfFieldKind.SpinLock)?.OffsetBytes ?? -2;
        Reject(DiagCode.LockMisuse, $"bpf_spin_lock at off={at} must be held for {name}", regno);
    }

    private void RequireOwnedNode(int i)
    {
        ref readonly var reg = ref Reg(i + 1);
        if (reg.Type != LocalObject)
        {
            Reject(DiagCode.CallArgType, $"{ArgName(i)} expected pointer to allocated object", i + 1);
        }

        RequireOwned(i + 1, reg);
    }

    private void CheckRbNodeArg(int i, KfuncCallMeta meta)
    {
        if (meta.Fn.Special == SpecialKfunc.RbtreeAdd)
        {
            RequireOwnedNode(i);
        }
        else
        {
            ref readonly var reg = ref Reg(i + 1);
            var mayOwn = Kernel.Profile.LooksIntoGraphs;
            var name = mayOwn ? meta.Fn.Name : "rbtree_remove";
            if (mayOwn ? !reg.Type.IsNonOwningRef() && reg.RefObjId == 0
                : !reg.Type.IsNonOwningRef() || reg.RefObjId != 0)
            {
                Reject(DiagCode.GraphMisuse, mayOwn
                    ? $"{name} can only take non-owning or refcounted bpf_rb_node pointer"
                    : "rbtree_remove node input must be non-owning ref", i + 1);
            }

            if (InRbtreeCallback)
            {
                Reject(DiagCode.GraphMisuse, $"{name} not allowed in rbtree cb", i + 1);
            }
        }

        CheckGraphNode(i + 1, BtfFieldKind.RbNode, meta);
    }

    /// <summary>The node is at the place, and in the type, that the root is declared to contain.</summary>
    private void CheckGraphNode(int regno, BtfFieldKind kind, KfuncCallMeta meta)
    {
        ref readonly var reg = ref Reg(regno);
        var name = FieldKindName(kind);
        RequireConstOffset(regno, reg, name);
        var off = reg.Off + (int)reg.Var.ConstValue;
        if (FieldStartingAt(RecordOf(reg), off, kind) is null)
        {
            Reject(DiagCode.GraphMisuse, $"{name} not found at offset={off}", regno);
        }

        var root = meta.Root!;
        var expected = root.NodeType;
        if (!BtfStructWalk.IdsMatch(
            this, reg.Btf!, reg.BtfId, 0, expected.Btf, expected.Id, strict: true, walkFlexArrays: false))
        {
            Reject(DiagCode.GraphMisuse,
                $"operation on {FieldKindName(root.Kind)} expects arg#1 {name} at offset={root.NodeOffsetBytes} in "
                    + $"struct {expected.Name}, but arg is at offset={off} in struct {reg.Btf![reg.BtfId].Name}",
                regno);
        }

        meta.ArgBtf = reg.Btf;
        meta.ArgBtfId = reg.BtfId;
        if (off != root.NodeOffsetBytes)
        {
            Reject(DiagCode.GraphMisuse,
                $"arg#1 offset={off}, but expected {name} at offset={root.NodeOffsetBytes} in struct {expected.Name}",
                regno);
        }
    }

    /// <summary>A pointer to the node field of what the root contains (<c>mark_reg_graph_node</c>).</summary>
    private static void MarkGraphNode(ref RegState reg, BtfField root)
    {
        reg.MarkKnownZero(LocalObject);
        reg.Btf = root.NodeType.Btf;
        reg.BtfId = root.NodeType.Id;
        reg.Off = root.NodeOffsetBytes;
    }
}
