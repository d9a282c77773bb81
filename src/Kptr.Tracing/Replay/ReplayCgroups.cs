using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tracing.Replay;

/// <summary>Cgroups of the v2 tree, made when the trace first names them.</summary>
internal sealed class ReplayCgroups(KernelModel kernel, IssueLog issues)
{
    // The hierarchy of v2; others are those of v1.
    private const long DefaultRoot = 0;

    internal bool Attach(ReplayTask task, TraceEvent at)
    {
        if (CgroupOf(at, "dst_root", "dst_path") is not { } cgroup)
        {
            return false;
        }

        if (kernel.Cgroups.Attach(cgroup, task.Task) == Errno.None)
        {
            return true;
        }

        issues.Add(TraceIssueKind.BadFields, at, $"cannot be attached to {cgroup}", task.Pid);
        return false;
    }

    internal bool Make(TraceEvent at) => CgroupOf(at, "root", "path") is not null;

    internal bool Remove(TraceEvent at)
    {
        if (CgroupOf(at, "root", "path") is not { } cgroup)
        {
            return false;
        }

        if (kernel.Cgroups.Remove(cgroup) == Errno.None)
        {
            return true;
        }

        issues.Add(TraceIssueKind.ExitNeverSeen, at, $"{cgroup} is removed, and tasks are in it");
        return false;
    }

    private Cgroup? CgroupOf(TraceEvent at, string rootField, string pathField)
    {
        if (at.TextOf(pathField) is not { } path || !at.TryGetNumber(rootField, out var root))
        {
            issues.Add(TraceIssueKind.BadFields, at, "does not say which cgroup");
            return null;
        }

        if (root != DefaultRoot)
        {
            issues.Add(TraceIssueKind.Unsupported, at, $"{path} is in a v1 hierarchy ({root})");
            return null;
        }

        try
        {
            return kernel.Cgroups.GetOrCreate(path);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            issues.Add(TraceIssueKind.BadFields, at, error.Message);
            return null;
        }
    }
}
