using Kptr.Objects;

namespace Kptr.Tracing.Replay;

/// <summary>A task of the model and what the trace has said of it so far.</summary>
internal sealed class ReplayTask(TaskStruct task, int pid, string comm, long firstNs)
{
    internal TaskStruct Task { get; } = task;

    /// <summary>Its number; another after an exec that took the leader's place.</summary>
    internal int Pid { get; set; } = pid;

    /// <summary>Its name as the trace has it.</summary>
    internal string Comm { get; set; } = comm;

    /// <summary>When the trace first spoke of it.</summary>
    internal long FirstNs { get; } = firstNs;

    /// <summary>Whether the trace has brought it; if not, it was in the model before.</summary>
    internal bool IsOfTrace { get; init; }

    /// <summary>Whether nobody was seen to fork it.</summary>
    internal bool IsAssumed { get; set; }

    /// <summary>Whether <c>task_newtask</c> has made it and <c>sched_process_fork</c> is still to come.</summary>
    internal bool IsAnnounced { get; set; }

    internal bool IsDead { get; set; }

    /// <summary>Whether it has left its CPU for good.</summary>
    internal bool IsSwitchedOut { get; set; }

    internal long DeadNs { get; set; }

    /// <summary>Its place among the dead that wait to be freed.</summary>
    internal LinkedListNode<ReplayTask>? DeadNode { get; set; }

    /// <summary>Whether the table has let go of it.</summary>
    internal bool IsGone { get; set; }

    /// <summary>Whether the time that it is on its CPU now was told by <c>sched_stat_runtime</c>.</summary>
    internal bool HasRuntime { get; set; }

    /// <summary>Accounts CPU time: user time, of kernel threads system time.</summary>
    internal void AddCpuTime(long ns)
    {
        // A thread that has exited is freed by itself, and the trace may speak of it later.
        if (ns > 0 && !Task.IsFreed)
        {
            var isKthread = (Task.Flags & TaskFlags.Kthread) != 0;
            Task.AddCpuTime(isKthread ? 0 : ns, isKthread ? ns : 0);
        }
    }
}
