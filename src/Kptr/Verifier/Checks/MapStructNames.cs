using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>The kernel struct behind a map of each type (<c>map_btf_id</c> of its operations).</summary>
internal static class MapStructNames
{
    /// <summary>The struct's name, or null where map pointers of this type cannot be read.</summary>
    public static string? Of(BpfMapType type) => type switch
    {
        BpfMapType.Hash or BpfMapType.PercpuHash or BpfMapType.LruHash or BpfMapType.LruPercpuHash
            or BpfMapType.HashOfMaps
            => "bpf_htab",
        BpfMapType.Array or BpfMapType.PercpuArray or BpfMapType.ProgArray or BpfMapType.PerfEventArray
            or BpfMapType.CgroupArray or BpfMapType.ArrayOfMaps => "bpf_array",
        BpfMapType.CgroupStorage or BpfMapType.PercpuCgroupStorage => "bpf_cgroup_storage_map",
        BpfMapType.StackTrace => "bpf_stack_map",
        BpfMapType.LpmTrie => "lpm_trie",
        BpfMapType.Devmap or BpfMapType.DevmapHash => "bpf_dtab",
        BpfMapType.Sockmap => "bpf_stab",
        BpfMapType.Cpumap => "bpf_cpu_map",
        BpfMapType.Xskmap => "xsk_map",
        BpfMapType.Sockhash => "bpf_shtab",
        BpfMapType.ReuseportSockarray => "reuseport_array",
        BpfMapType.Queue or BpfMapType.Stack => "bpf_queue_stack",
        BpfMapType.SkStorage or BpfMapType.InodeStorage or BpfMapType.TaskStorage or BpfMapType.CgrpStorage
            => "bpf_local_storage_map",
        BpfMapType.StructOps => "bpf_struct_ops_map",
        BpfMapType.Ringbuf or BpfMapType.UserRingbuf => "bpf_ringbuf_map",
        BpfMapType.BloomFilter => "bpf_bloom_filter",
        BpfMapType.Arena => "bpf_arena",
        BpfMapType.Rhash => "bpf_rhtab",
        BpfMapType.InsnArray => "bpf_insn_array",
        _ => null,
    };
}
