namespace Kptr.Specs;

/// <summary>Map types, with the numbers of <c>enum bpf_map_type</c>; <see cref="Rhash"/> since 7.2.</summary>
public enum BpfMapType
{
#pragma warning disable CS1591 // each is the kernel's BPF_MAP_TYPE_ name in .NET case
    Unspec,
    Hash,
    Array,
    ProgArray,
    PerfEventArray,
    PercpuHash,
    PercpuArray,
    StackTrace,
    CgroupArray,
    LruHash,
    LruPercpuHash,
    LpmTrie,
    ArrayOfMaps,
    HashOfMaps,
    Devmap,
    Sockmap,
    Cpumap,
    Xskmap,
    Sockhash,
    CgroupStorage,
    ReuseportSockarray,
    PercpuCgroupStorage,
    Queue,
    Stack,
    SkStorage,
    DevmapHash,
    StructOps,
    Ringbuf,
    InodeStorage,
    TaskStorage,
    BloomFilter,
    UserRingbuf,
    CgrpStorage,
    Arena,
    InsnArray,
    Rhash,
#pragma warning restore CS1591
}
