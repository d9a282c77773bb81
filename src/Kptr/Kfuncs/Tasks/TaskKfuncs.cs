using System.Runtime.CompilerServices;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>References on tasks. Kernel: kernel/bpf/helpers.c.</summary>
public static class TaskKfuncs
{
    private const KfuncHooks Hooks6_2 = KfuncHooks.Tracing | KfuncHooks.Tc | KfuncHooks.StructOps;

    /// <summary>Takes one reference on <paramref name="task"/>.</summary>
    /// <param name="task">The task, which the caller must know to be still there.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>The owned reference, or <see langword="null"/> when the count already reached zero.</returns>
    /// <remarks>Kernel: <c>bpf_task_acquire</c>, 6.12: inc-not-zero on <c>rcu_users</c>.</remarks>
    [Kfunc("bpf_task_acquire", KfuncFlags.Acquire | KfuncFlags.RetNull | KfuncFlags.Rcu,
        Prototype = "struct task_struct *bpf_task_acquire(struct task_struct *p)")]
    [Kfunc("bpf_task_acquire", KfuncFlags.Acquire | KfuncFlags.TrustedArgs, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct task_struct *bpf_task_acquire(struct task_struct *p)")]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static KernelRef<TaskStruct>? TaskAcquire(
        TaskStruct task, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        task.TryAcquire(file, line);

    /// <summary>Gives one reference back; the last one lets the task's memory go after a grace period.</summary>
    /// <param name="task">The reference, dead afterwards.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <remarks>Kernel: <c>bpf_task_release</c>, 6.12.</remarks>
    [Kfunc("bpf_task_release", KfuncFlags.Release,
        Prototype = "void bpf_task_release(struct task_struct *p)", DestructorOf = "task_struct")]
    [Kfunc("bpf_task_release", KfuncFlags.Release, Hooks = Hooks6_2, Profiles = ProfileSet.Linux6_2,
        Prototype = "void bpf_task_release(struct task_struct *p)", DestructorOf = "task_struct")]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TaskRelease(
        [TakesOwnership] KernelRef<TaskStruct> task, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        task.Release(file, line);

    /// <summary>Looks a task up in the first pid namespace and takes a reference on it.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="pid">The number there.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>Null where there is no such task, or its last user is gone.</returns>
    /// <remarks>Kernel: <c>bpf_task_from_pid</c>, 6.12.</remarks>
    [Kfunc("bpf_task_from_pid", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct task_struct *bpf_task_from_pid(s32 pid)")]
    [Kfunc("bpf_task_from_pid", KfuncFlags.Acquire | KfuncFlags.RetNull, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct task_struct *bpf_task_from_pid(s32 pid)")]
    public static KernelRef<TaskStruct>? TaskFromPid(
        KernelCore core, int pid, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(core);
        using var reader = core.Rcu.ReadLock();
        return core.Tasks.Find(pid)?.TryAcquire(file, line);
    }

    /// <summary>Looks a task up in the pid namespace of the current task and takes a reference on it.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="vpid">The number there.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>Null where there is no such task, or its last user is gone.</returns>
    /// <remarks>Kernel: <c>bpf_task_from_vpid</c>, since 6.14.</remarks>
    [Kfunc("bpf_task_from_vpid", KfuncFlags.Acquire | KfuncFlags.RetNull, Profiles = ProfileSet.Linux7_2,
        Prototype = "struct task_struct *bpf_task_from_vpid(s32 vpid)")]
    public static KernelRef<TaskStruct>? TaskFromVpid(
        KernelCore core, int vpid, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(core);
        using var reader = core.Rcu.ReadLock();
        return core.Tasks.Find(vpid, core.Tasks.Current.PidNamespace)?.TryAcquire(file, line);
    }

    /// <summary>Takes a reference on the task in a kptr slot, where that can be done safely: never, in 6.2.</summary>
    /// <param name="slotAddress">Address of the slot.</param>
    /// <returns>Always null: <c>usage</c> is not protected by RCU, so the task may be freed under the caller.</returns>
    /// <remarks>
    /// Kernel: <c>bpf_task_kptr_get</c>, 6.2; removed in 6.4 in favour of <c>bpf_task_acquire</c> inside RCU.
    /// </remarks>
    [Kfunc("bpf_task_kptr_get", KfuncFlags.Acquire | KfuncFlags.KptrGet | KfuncFlags.RetNull, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct task_struct *bpf_task_kptr_get(struct task_struct **pp)")]
    internal static KernelRef<TaskStruct>? TaskKptrGet(ulong slotAddress)
    {
        _ = slotAddress;
        return null;
    }

    /// <summary>Takes a reference unless the count is zero, where that can be done safely: never, in 6.2.</summary>
    /// <remarks>Kernel: <c>bpf_task_acquire_not_zero</c>, 6.2.</remarks>
    [Kfunc("bpf_task_acquire_not_zero", KfuncFlags.Acquire | KfuncFlags.Rcu | KfuncFlags.RetNull, Hooks = Hooks6_2,
        Profiles = ProfileSet.Linux6_2,
        Prototype = "struct task_struct *bpf_task_acquire_not_zero(struct task_struct *p)")]
    internal static KernelRef<TaskStruct>? TaskAcquireNotZero(TaskStruct task)
    {
        _ = task;
        return null;
    }
}
