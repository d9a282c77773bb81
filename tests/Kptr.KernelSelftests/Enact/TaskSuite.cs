using Kptr.Diagnostics;

namespace Kptr.KernelSelftests.Enact;

/// <summary>Tasks, cgroups and cpumasks that programs keep: what a process does around them.</summary>
internal static class TaskSuite
{
    private static readonly string[] s_tasks =
    [
        "test_task_acquire_release_argument", "test_task_acquire_release_current", "test_task_acquire_leave_in_map",
        "test_task_xchg_release", "test_task_map_acquire_release", "test_task_current_acquire_release",
        "test_task_from_pid_arg", "test_task_from_pid_current", "test_task_from_pid_invalid",
        "task_kfunc_acquire_trusted_walked", "test_task_kfunc_flavor_relo", "test_task_kfunc_flavor_relo_not_found",
    ];

    private static readonly string[] s_cgroups =
    [
        "test_cgrp_acquire_release_argument", "test_cgrp_acquire_leave_in_map", "test_cgrp_xchg_release",
        "test_cgrp_get_release", "test_cgrp_get_ancestors", "test_cgrp_from_id",
    ];

    private static readonly string[] s_masks =
    [
        "test_alloc_free_cpumask", "test_set_clear_cpu", "test_setall_clear_cpu", "test_first_firstzero_cpu",
        "test_firstand_nocpu", "test_test_and_set_clear", "test_and_or_xor", "test_intersects_subset",
        "test_copy_any_anyand", "test_insert_leave", "test_insert_remove_release", "test_global_mask_rcu",
        "test_global_mask_array_one_rcu", "test_global_mask_array_rcu", "test_global_mask_array_l2_rcu",
        "test_global_mask_nested_rcu", "test_global_mask_nested_deep_rcu", "test_global_mask_nested_deep_array_rcu",
        "test_cpumask_weight",
    ];

    private static readonly string[] s_readers =
    [
        "get_cgroup_id", "task_succ", "two_regions", "non_sleepable_1", "non_sleepable_2", "task_trusted_non_rcuptr",
        "rcu_read_lock_subprog", "rcu_read_lock_global_subprog", "rcu_read_lock_subprog_lock",
        "rcu_read_lock_subprog_unlock",
    ];

    private static readonly string[] s_badReaders =
    [
        "miss_lock", "no_lock", "miss_unlock", "non_sleepable_rcu_mismatch", "inproper_sleepable_helper",
        "inproper_sleepable_kfunc", "nested_rcu_region", "rcu_read_lock_global_subprog_lock",
        "rcu_read_lock_global_subprog_unlock", "task_untrusted_rcuptr", "cross_rcu_region",
    ];

    internal static IEnumerable<EnactTest> All =>
    [
        .. s_tasks.Select(p => new EnactTest("task_kfunc_success", p, s => OnFork(s, "task_kfunc_success", p))),
        .. s_masks.Select(p => new EnactTest("cpumask_success", p, s => OnFork(s, "cpumask_success", p))),
        .. s_cgroups.Select(p => new EnactTest("cgrp_kfunc_success", p, s => OnMkdir(s, p))),
        new("rcu_read_lock", "success", Readers),
        new("rcu_read_lock", "rcuptr_acquire", s => s.AttachAll(
            s.Load("rcu_read_lock", o => Scene.Set(o, "target_pid", s.Me.Pid), "task_acquire"))),
        .. s_badReaders.Select(p => new EnactTest(
            "rcu_read_lock", p, s => Refused(() => s.Load("rcu_read_lock", null, p)))),
        new("test_task_under_cgroup", "task_under_cgroup", UnderCgroup),
        new("task_local_storage", "sys_enter_exit", StorageOfCalls),
        new("percpu_alloc_cgrp_local_storage", "cgrp_local_storage", s =>
        {
            Join(s, "percpu_alloc");
            PercpuSums(s, s.Load("percpu_alloc_cgrp_local_storage", o => OfPercpu(s, o)));
        }),
        new("percpu_alloc_array", "array", s => PercpuSums(s, s.Load("percpu_alloc_array", o => OfPercpu(s, o),
            "test_array_map_1", "test_array_map_2", "test_array_map_3", "test_array_map_4"))),
        new("percpu_alloc_array", "array_sleepable", s => PercpuSums(s, s.Load(
            "percpu_alloc_array", o => OfPercpu(s, o), "test_array_map_10"))),
    ];

    /// <summary>Loading must fail.</summary>
    internal static void Refused(Action load)
    {
        try
        {
            load();
        }
        catch (Exception e) when (e is ProgramRejectedException or DiagnosticException or Maps.MapCreateException)
        {
            return;
        }

        throw new UnexpectedException("it is loaded");
    }

    internal static Objects.Cgroup Join(Scene scene, string name)
    {
        var made = scene.Kernel.Cgroups.Create(name);
        Scene.Expect("join", scene.Kernel.Cgroups.Attach(made, scene.Me));
        return made;
    }

    private static void OnFork(Scene scene, string name, string program)
    {
        var obj = scene.Load(name, o =>
        {
            Scene.Set(o, "pid", scene.Me.Pid);
            if (o.Variables.ContainsKey("nr_cpus"))
            {
                Scene.Set(o, "nr_cpus", scene.CpuCount);
            }
        });
        Scene.ExpectValue(obj, "err", 0);
        scene.Attach(obj, program);
        scene.ForkAndWait();
        Scene.ExpectValue(obj, "err", 0);
        Scene.Expect(obj.Programs[program].RunCount == 1, $"{program} ran {obj.Programs[program].RunCount} times");
    }

    private static void OnMkdir(Scene scene, string program)
    {
        var work = Join(scene, "cgroup-test-work-dir");
        var obj = scene.Load("cgrp_kfunc_success", o => Scene.Set(o, "pid", scene.Me.Pid));
        scene.Attach(obj, program);
        Scene.ExpectValue(obj, "invocations", 0);
        using (scene.Kernel.Tasks.Run(scene.Me))
        {
            Scene.Expect("rmdir", scene.Kernel.Cgroups.Remove(scene.Kernel.Cgroups.Create(work, "cgrp_kfunc")));
        }

        scene.Kernel.Quiesce();
        Scene.ExpectValue(obj, "invocations", 1);
        Scene.ExpectValue(obj, "err", 0);
    }

    private static void Readers(Scene scene)
    {
        var cgroup = Join(scene, "rcu_read_lock");
        var obj = scene.Load("rcu_read_lock", o => Scene.Set(o, "target_pid", scene.Me.Pid), s_readers);
        scene.AttachAll(obj);
        scene.SysCall("getpgid");
        scene.SysCall("nanosleep");
        Scene.ExpectValue(obj, "task_storage_val", 2);
        Scene.ExpectValue(obj, "cgroup_id", (long)cgroup.Id);
    }

    private static void UnderCgroup(Scene scene)
    {
        const ulong linkCreate = 28;
        var cgroup = Join(scene, "foo");
        var obj = scene.Load("test_task_under_cgroup", o =>
        {
            Scene.Set(o, "local_pid", scene.Me.Pid);
            Scene.Set(o, "remote_pid", scene.Me.Pid);
            Scene.Set(o, "cgid", cgroup.Id);
        });
        scene.AttachAll(obj);
        using (scene.Kernel.Tasks.Run(scene.Me))
        {
            Scene.Expect("bpf(BPF_LINK_CREATE)", scene.Kernel.Call("bpf", [linkCreate, 0, 0]), 0);
        }

        scene.ForkAndWait();
        Scene.Expect(Scene.Get<int>(obj, "remote_pid") != scene.Me.Pid, "the child is not under the cgroup");
    }

    private static void StorageOfCalls(Scene scene)
    {
        var obj = scene.Load("task_local_storage");
        Scene.Set(obj, "target_pid", scene.Me.Pid);
        scene.AttachAll(obj);
        scene.SysCall("bpf"); // that attaching is one as well
        scene.SysCall("gettid");
        scene.SysCall("gettid");
        Scene.ExpectValue(obj, "enter_cnt", 3);
        Scene.ExpectValue(obj, "exit_cnt", 3);
        Scene.ExpectValue(obj, "mismatch_cnt", 0);
    }

    private static void OfPercpu(Scene scene, BpfObject obj)
    {
        Scene.Set(obj, "my_pid", scene.Me.Pid);
        Scene.Set(obj, "nr_cpus", scene.CpuCount);
    }

    private static void PercpuSums(Scene scene, BpfObject obj)
    {
        scene.AttachAll(obj);
        scene.CallTestFunctions();
        Scene.ExpectValue(obj, "cpu0_field_d", 2);
        Scene.ExpectValue(obj, "sum_field_c", 1);
    }
}
