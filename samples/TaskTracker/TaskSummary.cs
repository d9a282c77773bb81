using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace TaskTracker;

/// <summary><c>struct task_summary</c> of task_tracker.bpf.c.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TaskSummary
{
    public int Pid;
    public int Tgid;
    public CommBytes Comm;
    public ulong CgroupId;
    public ulong CpuTimeNs;
    public ulong SeenNs;

    public readonly string CommText => Encoding.UTF8.GetString(((ReadOnlySpan<byte>)Comm).TrimEnd((byte)0));

    [InlineArray(16)]
    internal struct CommBytes
    {
        private byte _first;
    }
}
