using System.Runtime.InteropServices;

namespace Kptr.Benchmarks.Tracing;

/// <summary><c>struct task_summary</c> of task_tracker.bpf.c, as far as it is needed.</summary>
[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct TrackedTask
{
    [FieldOffset(32)]
    public long CpuTimeNs;
}
