using Kptr.Btf;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>What Linux says of its struct_ops members besides their prototypes.</summary>
internal static class StructOpsRules
{
    /// <summary>Whether a program may implement the member.</summary>
    /// <remarks>Kernel: a member without a stub, and <c>check_member</c> of each struct.</remarks>
    public static bool IsSupported(string structName, string member, bool sleepable) => structName switch
    {
        "tcp_congestion_ops" => member != "get_info",
        "bpf_dummy_ops" => !sleepable || member == "test_sleepable",
        "bpf_testmod_ops" => member != "unsupported_ops",
        "Qdisc_ops" => member is "enqueue" or "dequeue" or "init" or "reset" or "destroy",
        "sched_ext_ops" or "sched_ext_ops_cid" => !sleepable
            || member is "init_task" or "init" or "exit" or "cgroup_init" or "cgroup_exit" or "cgroup_prep_move"
                or "cpu_online" or "cpu_offline" or "cid_online" or "cid_offline" or "sub_attach" or "sub_detach",
        _ => true,
    };

    /// <summary>
    /// Arguments that may be null, which the struct's stub function calls <c>__nullable</c>, and those that a reference
    /// comes with, which it calls <c>__ref</c> (as kernels name them that hand references over).
    /// </summary>
    /// <remarks>Kernel: <c>prepare_arg_info</c> (kernel/bpf/bpf_struct_ops.c, 7.2).</remarks>
    public static CtxArg[] TaggedArgs(BtfType type, string member, BtfType proto, bool withReferences)
    {
        if (StubOf(type, member) is not { } stub)
        {
            return [];
        }

        var args = new List<CtxArg>();
        var off = 0;
        for (var i = 0; i < Math.Min(proto.VLen, stub.VLen); i++)
        {
            var pointer = type.Btf.SkipModifiers(proto.Param(i).TypeId);
            var isNullable = stub.Param(i).Name.EndsWith("__nullable", StringComparison.Ordinal);
            var isRef = withReferences && stub.Param(i).Name.EndsWith("__ref", StringComparison.Ordinal);
            if ((isNullable || isRef) && pointer.Kind == BtfKind.Ptr)
            {
                var pointee = type.Btf.SkipModifiers(pointer.RefTypeId);
                args.Add(new(off, RegType.PtrToBtfId | RegType.PtrTrusted | (isNullable ? RegType.MaybeNull : 0),
                    pointee.Id) { IsRefcounted = isRef });
            }

            off += (Math.Max(type.Btf.ResolveSize(proto.Param(i).TypeId), 0) + 7) & ~7;
        }

        return [.. args];
    }

    // The prototype of the function that stands in for a member, whose parameters are named for what they are.
    private static BtfType? StubOf(BtfType type, string member)
    {
        // The two structs of schedulers share their stubs.
        return FindIn(type.Name) ?? (type.Name == "sched_ext_ops_cid" ? FindIn("sched_ext_ops") : null);

        BtfType? FindIn(string name) =>
            type.Btf.FindId($"{name}__{member}", BtfKind.Func) is not 0 and var id ? type.Btf[id].Ref : null;
    }
}
