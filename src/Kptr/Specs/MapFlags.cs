namespace Kptr.Specs;

/// <summary>Map creation flags, with the bits of <c>include/uapi/linux/bpf.h</c>.</summary>
[Flags]
public enum MapFlags : uint
{
#pragma warning disable CS1591 // each is the kernel's BPF_F_ name in .NET case
    None = 0,
    NoPrealloc = 1u << 0,
    NoCommonLru = 1u << 1,
    NumaNode = 1u << 2,
    RdOnly = 1u << 3,
    WrOnly = 1u << 4,
    StackBuildId = 1u << 5,
    ZeroSeed = 1u << 6,
    RdOnlyProg = 1u << 7,
    WrOnlyProg = 1u << 8,
    Clone = 1u << 9,
    Mmapable = 1u << 10,
    PreserveElems = 1u << 11,
    InnerMap = 1u << 12,
    Link = 1u << 13,
    PathFd = 1u << 14,
    VtypeBtfObjFd = 1u << 15,
    TokenFd = 1u << 16,
    SegvOnFault = 1u << 17,
    NoUserConv = 1u << 18,
    RbOverwrite = 1u << 19,
#pragma warning restore CS1591
}
