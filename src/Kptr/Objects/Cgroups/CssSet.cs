namespace Kptr.Objects;

/// <summary>
/// What tasks of one cgroup share. Every task has a reference until its <c>task_struct</c> is freed, and
/// it has one on the cgroup.
/// </summary>
/// <remarks>
/// So a pinned task pins its cgroup. Kernel: <c>struct css_set</c> (include/linux/cgroup-defs.h, 6.12).
/// </remarks>
internal sealed class CssSet
{
    private static readonly FieldSpec[] Fields =
    [
        FieldSpec.Count("refcount.refs.counter"), new("dfl_cgrp", 8),
        FieldSpec.Link("tasks"), FieldSpec.Link("mg_tasks"), FieldSpec.Link("dying_tasks"),
    ];
    private readonly KernelStruct _native;
    private readonly RefCount _count;

    /// <summary>Makes the set of a cgroup, without a user yet; the cgroup holds no reference on it.</summary>
    internal CssSet(Cgroup cgroup)
    {
        Cgroup = cgroup;
        _native = new(cgroup.Core, "css_set", Fields);
        _native.Put("dfl_cgrp", cgroup.Address);
        NativeList.Init(At("tasks"));
        NativeList.Init(At("mg_tasks"));
        NativeList.Init(At("dying_tasks"));
        _count = new(_native.Address + (ulong)_native.Layout.Field("refcount.refs.counter").OffsetBytes, cgroup);
    }

    internal Cgroup Cgroup { get; }

    internal ulong Address => _native.Address;

    /// <summary>Tasks that use it, dead and pinned ones included; none once the cgroup is freed.</summary>
    internal int UserCount => _count.Value;

    internal void Get()
    {
        using (Cgroup.Core.Cgroups.SetLock.Enter())
        {
            GetLocked();
        }
    }

    /// <summary>Takes a reference for a task, which is one of the set's from now on, and of no other's.</summary>
    internal void Join(TaskStruct task)
    {
        using (Cgroup.Core.Cgroups.SetLock.Enter())
        {
            GetLocked();
            MoveLocked(task, At("tasks"));
        }
    }

    internal void Put()
    {
        bool isLast;
        using (Cgroup.Core.Cgroups.SetLock.Enter())
        {
            isLast = _count.DecAndTest() == RefCountOutcome.Zero;
        }

        if (isLast)
        {
            Cgroup.ReleaseCount();
        }
    }

    /// <summary>A task is dead and not reaped. Kernel: <c>cgroup_exit</c>.</summary>
    internal void MoveToDying(TaskStruct task) => Move(task, At("dying_tasks"));

    /// <summary>A task is reaped. Kernel: <c>cgroup_release</c>.</summary>
    internal void MoveOut(TaskStruct task) => Move(task, 0);

    internal void Free() => _native.Free();

    private ulong At(string path) => _native.Address + (ulong)_native.Layout.Field(path).OffsetBytes;

    // All sets of a kernel share one lock, as in Linux (css_set_lock): a task goes from one list to another.
    private void Move(TaskStruct task, ulong head)
    {
        using (Cgroup.Core.Cgroups.SetLock.Enter())
        {
            MoveLocked(task, head);
        }
    }

    private static void MoveLocked(TaskStruct task, ulong head)
    {
        NativeList.Remove(task.LinkAt("cg_list"));
        if (head != 0)
        {
            NativeList.AddTail(head, task.LinkAt("cg_list"));
        }
    }

    private void GetLocked()
    {
        if (_count.Value != 0)
        {
            _count.Inc();
            return;
        }

        // It fell below what its tasks hold where somebody released what was not his.
        if (Cgroup.Count.TryIncNotZero() == RefCountOutcome.Zero)
        {
            throw new InvalidOperationException($"{Cgroup} is gone: it was released too often");
        }

        _count.Set(1);
    }
}
