using System.Runtime.CompilerServices;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>References on cgroups. Kernel: kernel/bpf/helpers.c.</summary>
public static class CgroupKfuncs
{
    private const KfuncHooks Hooks6_2 = KfuncHooks.Tracing | KfuncHooks.Tc | KfuncHooks.StructOps;

    /// <summary>Takes one reference on <paramref name="cgroup"/>.</summary>
    /// <param name="cgroup">The cgroup, which the caller must know to be still there.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>The owned reference, or <see langword="null"/> once the cgroup is released.</returns>
    /// <remarks>Kernel: <c>bpf_cgroup_acquire</c>, 6.12 (<c>cgroup_tryget</c>).</remarks>
    [Kfunc("bpf_cgroup_acquire", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp)")]
    [Kfunc("bpf_cgroup_acquire", KfuncFlags.Acquire | KfuncFlags.TrustedArgs, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp)")]
    public static KernelRef<Cgroup>? CgroupAcquire(
        Cgroup cgroup, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        cgroup.TryAcquire(file, line);

    /// <summary>Gives one reference back; the last one lets a removed cgroup go.</summary>
    /// <param name="cgroup">The reference, dead afterwards.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <remarks>Kernel: <c>bpf_cgroup_release</c>, 6.12 (<c>cgroup_put</c>).</remarks>
    [Kfunc("bpf_cgroup_release", KfuncFlags.Release,
        Prototype = "void bpf_cgroup_release(struct cgroup *cgrp)", DestructorOf = "cgroup")]
    [Kfunc("bpf_cgroup_release", KfuncFlags.Release, Hooks = Hooks6_2, Profiles = ProfileSet.Linux6_2,
        Prototype = "void bpf_cgroup_release(struct cgroup *cgrp)", DestructorOf = "cgroup")]
    public static void CgroupRelease(
        [TakesOwnership] KernelRef<Cgroup> cgroup, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        cgroup.Release(file, line);

    /// <summary>Takes a reference on the ancestor of a cgroup at a level, itself included.</summary>
    /// <param name="cgroup">The cgroup; its own count may be zero.</param>
    /// <param name="level">0 is the root.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>Null for levels that it has no ancestor at, and for a released one.</returns>
    /// <remarks>Kernel: <c>bpf_cgroup_ancestor</c>, 6.12.</remarks>
    [Kfunc("bpf_cgroup_ancestor", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level)")]
    [Kfunc("bpf_cgroup_ancestor", KfuncFlags.Acquire | KfuncFlags.TrustedArgs | KfuncFlags.RetNull, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level)")]
    public static KernelRef<Cgroup>? CgroupAncestor(
        Cgroup cgroup, int level, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(cgroup);
        return cgroup.AncestorAt(level)?.TryAcquire(file, line);
    }

    /// <summary>Looks a cgroup up by its 64-bit id and takes a reference on it.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="id">The id.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>Null where there is none, or it is released.</returns>
    /// <remarks>Kernel: <c>bpf_cgroup_from_id</c>, 6.12.</remarks>
    [Kfunc("bpf_cgroup_from_id", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct cgroup *bpf_cgroup_from_id(u64 cgid)")]
    public static KernelRef<Cgroup>? CgroupFromId(
        KernelCore core, ulong id, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(core);
        using var reader = core.Rcu.ReadLock();
        return core.Cgroups.Find(id)?.TryAcquire(file, line);
    }

    /// <summary>Whether a task is in a cgroup or below it, in the v2 tree.</summary>
    /// <param name="task">The task.</param>
    /// <param name="ancestor">The cgroup.</param>
    /// <remarks>Kernel: <c>bpf_task_under_cgroup</c>, 6.12.</remarks>
    [Kfunc("bpf_task_under_cgroup", KfuncFlags.Rcu,
        Prototype = "long bpf_task_under_cgroup(struct task_struct *task, struct cgroup *ancestor)")]
    public static bool TaskUnderCgroup(TaskStruct task, Cgroup ancestor)
    {
        ArgumentNullException.ThrowIfNull(task);
        using var reader = task.Core.Rcu.ReadLock();
        return task.Cgroup.IsUnder(ancestor);
    }

    /// <summary>The cgroup of a task in a v1 hierarchy; the model has none, so there is no answer.</summary>
    /// <remarks>Kernel: <c>bpf_task_get_cgroup1</c>, 6.12.</remarks>
    [Kfunc("bpf_task_get_cgroup1", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "struct cgroup *bpf_task_get_cgroup1(struct task_struct *task, int hierarchy_id)")]
    internal static KernelRef<Cgroup>? TaskGetCgroup1(TaskStruct task, int hierarchyId)
    {
        _ = (task, hierarchyId);
        return null;
    }

    /// <summary>Takes a reference on the cgroup in a kptr slot.</summary>
    /// <param name="ctx">Who asks.</param>
    /// <param name="slotAddress">Address of the slot.</param>
    /// <returns>Null where the slot is empty or the cgroup released.</returns>
    /// <remarks>Kernel: <c>bpf_cgroup_kptr_get</c>, 6.2.</remarks>
    [Kfunc("bpf_cgroup_kptr_get", KfuncFlags.Acquire | KfuncFlags.KptrGet | KfuncFlags.RetNull, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct cgroup *bpf_cgroup_kptr_get(struct cgroup **cgrpp)")]
    internal static KernelRef<Cgroup>? CgroupKptrGet(ProgContext ctx, ulong slotAddress)
    {
        using var reader = ctx.Core.Rcu.ReadLock();
        return ctx.ObjectAt<Cgroup>(ctx.Read<ulong>(slotAddress))?.TryAcquire();
    }
}
