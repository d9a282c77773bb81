using System.Collections.Frozen;
using Kptr.Btf;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>The seq-file iterators of Linux, the last two of 7.2, and how far their arguments are trusted.</summary>
/// <remarks>Kernel: <c>struct bpf_iter_reg</c> of each target.</remarks>
internal static class IterTargets
{
    private const RegType OrNull = RegType.PtrToBtfId | RegType.MaybeNull;
    private const RegType TrustedOrNull = OrNull | RegType.PtrTrusted;
    private const RegType Buffer = RegType.PtrToBuf | RegType.MaybeNull;

    private static readonly FrozenDictionary<string, (string Param, RegType Type)[]> Targets =
        new Dictionary<string, (string, RegType)[]>
        {
            ["bpf_iter_task"] = [("task", TrustedOrNull)],
            ["bpf_iter_task_file"] = [("task", OrNull), ("file", OrNull)],
            ["bpf_iter_task_vma"] = [("task", OrNull), ("vma", OrNull)],
            ["bpf_iter_cgroup"] = [("cgroup", TrustedOrNull)],
            ["bpf_iter_bpf_map"] = [("map", TrustedOrNull)],
            ["bpf_iter_bpf_map_elem"] = [("key", Buffer | RegType.MemRdOnly), ("value", Buffer)],
            ["bpf_iter_bpf_prog"] = [("prog", OrNull)],
            ["bpf_iter_bpf_link"] = [("link", OrNull)],
            ["bpf_iter_bpf_sk_storage_map"] = [("sk", OrNull), ("value", Buffer)],
            ["bpf_iter_sockmap"] = [("key", Buffer | RegType.MemRdOnly), ("sk", OrNull)],
            ["bpf_iter_tcp"] = [("sk_common", TrustedOrNull)],
            ["bpf_iter_udp"] = [("udp_sk", TrustedOrNull)],
            ["bpf_iter_unix"] = [("unix_sk", OrNull)],
            ["bpf_iter_netlink"] = [("sk", OrNull)],
            ["bpf_iter_ipv6_route"] = [("rt", OrNull)],
            ["bpf_iter_ksym"] = [("ksym", OrNull)],
            ["bpf_iter_kmem_cache"] = [("s", TrustedOrNull)],
            ["bpf_iter_dmabuf"] = [("dmabuf", OrNull)],
        }.ToFrozenDictionary();

    /// <summary>
    /// The typed arguments of an iterator, or <see langword="null"/> where there is no such iterator.
    /// </summary>
    public static CtxArg[]? ArgsOf(BtfType func)
    {
        if (!Targets.TryGetValue(func.Name, out var typed))
        {
            return null;
        }

        var proto = func.Ref;
        var args = new List<CtxArg>();
        for (var i = 0; i < proto.VLen; i++)
        {
            var param = proto.Param(i);
            var known = Array.Find(typed, t => t.Param == param.Name);
            if (known.Param is not null)
            {
                var isBuffer = known.Type.Base() == RegType.PtrToBuf;
                var pointer = func.Btf.SkipModifiers(param.TypeId);
                args.Add(new(i * 8, known.Type, isBuffer ? 0 : func.Btf.SkipModifiers(pointer.RefTypeId).Id));
            }
        }

        return [.. args];
    }
}
