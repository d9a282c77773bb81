namespace Kptr.Verifier;

/// <summary>The kernel's limits under the kernel's names, in .NET case.</summary>
internal static class Limits
{
    /// <summary><c>MAX_CALL_FRAMES</c> of the kernel that has most; which a kernel has, its profile says.</summary>
    public const int MaxCallFrames = 16;

    /// <summary><c>MAX_BPF_STACK</c>, bytes of stack over all frames of a chain of calls.</summary>
    public const int MaxBpfStack = 512;

    /// <summary><c>BPF_COMPLEXITY_LIMIT_INSNS</c></summary>
    public const int ComplexityLimitInsns = 1_000_000;

    /// <summary><c>BPF_COMPLEXITY_LIMIT_JMP_SEQ</c>, branches waiting at once.</summary>
    public const int ComplexityLimitJmpSeq = 8192;

    /// <summary><c>BPF_COMPLEXITY_LIMIT_STATES</c>, may_goto and iterator states per instruction.</summary>
    public const int ComplexityLimitStates = 64;

    /// <summary><c>BPF_MAX_SUBPROGS</c></summary>
    public const int MaxSubprogs = 256;

    /// <summary><c>BPF_MAX_VAR_OFF</c>, greatest variable offset of a memory access.</summary>
    public const int MaxVarOff = 1 << 29;

    /// <summary><c>BPF_MAX_VAR_SIZ</c>, greatest variable size of a memory access.</summary>
    public const int MaxVarSize = 1 << 29;

    /// <summary><c>MAX_PACKET_OFF</c></summary>
    public const int MaxPacketOff = 0xffff;

    /// <summary><c>MAX_USED_MAPS</c></summary>
    public const int MaxUsedMaps = 64;

    /// <summary><c>BPF_MAX_LOOPS</c>, iterations of <c>bpf_loop</c> and may_goto.</summary>
    public const int MaxLoops = 8 * 1024 * 1024;

    /// <summary><c>MAX_BPF_FUNC_ARGS</c> in registers.</summary>
    public const int MaxFuncRegArgs = 5;
}
