namespace Kptr.Maps;

/// <summary>Whether a record wakes the consumer of its ring buffer; the flags of <c>bpf_ringbuf_submit</c>.</summary>
[Flags]
internal enum RingWakeup
{
    /// <summary>If it waits for this record.</summary>
    Default = 0,

    /// <summary>Not (<c>BPF_RB_NO_WAKEUP</c>).</summary>
    No = 1,

    /// <summary>In any case (<c>BPF_RB_FORCE_WAKEUP</c>).</summary>
    Force = 2,
}
