namespace Kptr.Maps;

/// <summary>Flags of element operations, with the bits of <c>include/uapi/linux/bpf.h</c>.</summary>
[Flags]
public enum MapUpdateFlags : ulong
{
    /// <summary><c>BPF_ANY</c>: create the element or replace it.</summary>
    Any = 0,

    /// <summary><c>BPF_NOEXIST</c>: create only.</summary>
    NoExist = 1,

    /// <summary><c>BPF_EXIST</c>: replace only.</summary>
    Exist = 2,

    /// <summary><c>BPF_F_LOCK</c>: copy the value in place under the element's <c>bpf_spin_lock</c>.</summary>
    Lock = 4,
}
