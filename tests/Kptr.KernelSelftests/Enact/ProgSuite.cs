using Kptr.Maps;

namespace Kptr.KernelSelftests.Enact;

/// <summary>Dynptrs, exceptions, timers, work queues and iterators: runs, and what variables say afterwards.</summary>
internal static class ProgSuite
{
    private static readonly string[] s_calls =
    [
        "test_read_write", "test_dynptr_data", "test_ringbuf", "test_adjust", "test_adjust_err",
        "test_zero_size_dynptr", "test_dynptr_is_null",
    ];

    private static readonly string[] s_packets =
    [
        "test_skb_readonly", "test_dynptr_skb_data", "test_dynptr_is_rdonly", "test_dynptr_clone",
        "test_dynptr_skb_no_buff", "test_dynptr_skb_strcmp",
    ];

    private static readonly (string Program, int Returns)[] s_thrown =
    [
        ("exception_throw_always_1", 64), ("exception_throw_always_2", 32), ("exception_throw_unwind_1", 16),
        ("exception_throw_unwind_2", 32), ("exception_throw_default", 0), ("exception_throw_default_value", 5),
        ("exception_tail_call", 24), ("exception_ext", 0), ("exception_ext_mod_cb_runtime", 35),
        ("exception_throw_subprog", 1), ("exception_assert_nz_gfunc", 1), ("exception_assert_zero_gfunc", 1),
        ("exception_assert_neg_gfunc", 1), ("exception_assert_pos_gfunc", 1), ("exception_assert_negeq_gfunc", 1),
        ("exception_assert_poseq_gfunc", 1), ("exception_assert_nz_gfunc_with", 1),
        ("exception_assert_zero_gfunc_with", 1), ("exception_assert_neg_gfunc_with", 1),
        ("exception_assert_pos_gfunc_with", 1), ("exception_assert_negeq_gfunc_with", 1),
        ("exception_assert_poseq_gfunc_with", 1), ("exception_bad_assert_nz_gfunc", 0),
        ("exception_bad_assert_zero_gfunc", 0), ("exception_bad_assert_neg_gfunc", 0),
        ("exception_bad_assert_pos_gfunc", 0), ("exception_bad_assert_negeq_gfunc", 0),
        ("exception_bad_assert_poseq_gfunc", 0), ("exception_bad_assert_nz_gfunc_with", 100),
        ("exception_bad_assert_zero_gfunc_with", 105), ("exception_bad_assert_neg_gfunc_with", 200),
        ("exception_bad_assert_pos_gfunc_with", 0), ("exception_bad_assert_negeq_gfunc_with", 101),
        ("exception_bad_assert_poseq_gfunc_with", 99), ("exception_assert_range", 1),
        ("exception_assert_range_with", 1), ("exception_bad_assert_range", 0), ("exception_bad_assert_range_with", 10),
    ];

    internal static IEnumerable<EnactTest> All =>
    [
        .. s_calls.Select(p => new EnactTest("dynptr_success", p, s =>
        {
            var obj = Dynptrs(s, p);
            s.Attach(obj, p);
            s.SysCall("nanosleep");
            Scene.ExpectValue(obj, "err", 0);
        })),
        .. s_packets.Select(p => new EnactTest("dynptr_success", p, s =>
        {
            var obj = Dynptrs(s, p);
            obj.Programs[p].TestRun(new TestInput { Packet = Scene.PacketV4() });
            Scene.ExpectValue(obj, "err", 0);
        })),
        .. s_thrown.Select(t => new EnactTest("exceptions", t.Program, s =>
        {
            var obj = s.Load("exceptions");
            ((ProgArrayMap)obj.Maps["jmp_table"]).Set(0, obj.Programs["exception_tail_call_target"]);
            s.Run(obj, t.Program, t.Returns);
        })),
        new("timer", "timer", Timers),
        new("wq", "test_syscall_array_sleepable", s =>
        {
            var obj = s.Load("wq");
            s.Run(obj, "test_syscall_array_sleepable");
            s.Kernel.Quiesce();
            Scene.ExpectValue(obj, "ok_sleepable", 1 << 1);
        }),
        new("iters_num", "num", s => Results(s, "iters_num")),
        new("iters_testmod_seq", "testmod_seq", s => Results(s, "iters_testmod_seq")),
        new("iters_task", "task", Tasks),
        new("iters_css", "css", Cgroups),
        new("iters_css_task", "css_task", TasksOfCgroup),
    ];

    private static BpfObject Dynptrs(Scene scene, string program) => scene.LoadOnly(
        "dynptr_success", o => Scene.Set(o, "pid", scene.Me.Pid), p => p.Name == program);

    private static void Timers(Scene scene)
    {
        var obj = scene.Load("timer");
        scene.AttachAll(obj);
        Scene.ExpectValue(obj, "callback_check", 52);
        Scene.ExpectValue(obj, "callback2_check", 52);
        Scene.ExpectValue(obj, "pinned_callback_check", 0);
        scene.CallTestFunctions();
        scene.Detach();
        scene.Kernel.VirtualClock.Advance(TimeSpan.FromMilliseconds(1));
        scene.Kernel.Quiesce();
        foreach (var (variable, value) in ((string, long)[])[
            ("callback_check", 42), ("callback2_check", 42), ("bss_data", 10), ("abs_data", 12),
            ("pinned_callback_check", 2), ("err", 0), ("ok", 1 | 2 | 4)])
        {
            Scene.ExpectValue(obj, variable, value);
        }

        Parallel.For(0, 4, _ =>
        {
            for (var i = 0; i < 200; i++)
            {
                scene.Run(obj, "race");
            }
        });
    }

    /// <summary>Every <c>res_X</c> that the programs leave is the <c>exp_X</c> that they bring.</summary>
    private static void Results(Scene scene, string name)
    {
        var obj = scene.Load(name);
        scene.AttachAll(obj);
        scene.SysCall("nanosleep");
        scene.Detach();
        foreach (var (variable, expected) in obj.Variables
            .Where(v => v.Key.StartsWith("exp_", StringComparison.Ordinal)))
        {
            // One has no result in the object: its program does not exist.
            if (obj.Variables.TryGetValue("res_" + variable[4..], out var result))
            {
                Scene.Expect(variable[4..], result.Get<long>(), expected.Get<long>());
            }
        }
    }

    private static void Tasks(Scene scene)
    {
        const int threads = 2;
        var obj = scene.Load("iters_task");
        Scene.Set(obj, "target_pid", scene.Me.Pid);
        scene.AttachAll(obj);
        var made = Enumerable.Range(0, threads).Select(_ => scene.Kernel.Tasks.ForkThread(scene.Me)).ToList();
        scene.SysCall("getpgid");
        scene.Detach();
        Scene.ExpectValue(obj, "procs_cnt", 1);
        Scene.ExpectValue(obj, "threads_cnt", threads + 1);
        Scene.ExpectValue(obj, "proc_threads_cnt", threads + 1);
        Scene.ExpectValue(obj, "invalid_cnt", 0);
        made.ForEach(t => scene.Kernel.Tasks.Exit(t));
    }

    private static void Cgroups(Scene scene)
    {
        var all = new List<Objects.Cgroup>();
        foreach (var name in (string[])["cg1", "cg2", "cg3", "cg4"])
        {
            all.Add(all.Count == 0 ? scene.Kernel.Cgroups.Create(name) : scene.Kernel.Cgroups.Create(all[^1], name));
        }

        var obj = scene.Load("iters_css");
        Scene.Set(obj, "target_pid", scene.Me.Pid);
        Scene.Set(obj, "root_cg_id", all[0].Id);
        Scene.Set(obj, "leaf_cg_id", all[^1].Id);
        scene.AttachAll(obj);
        scene.SysCall("getpgid");
        Scene.ExpectValue(obj, "pre_order_cnt", all.Count);
        Scene.ExpectValue(obj, "first_cg_id", (long)all[0].Id);
        Scene.ExpectValue(obj, "post_order_cnt", all.Count);
        Scene.ExpectValue(obj, "last_cg_id", (long)all[0].Id);
        Scene.ExpectValue(obj, "tree_high", all.Count - 1);
    }

    private static void TasksOfCgroup(Scene scene)
    {
        const int eperm = -1;
        var cgroup = TaskSuite.Join(scene, "cg1");
        var obj = scene.Load("iters_css_task");
        Scene.Set(obj, "target_pid", scene.Me.Pid);
        Scene.Set(obj, "cg_id", cgroup.Id);
        scene.AttachAll(obj);
        using (scene.Kernel.Tasks.Run(scene.Me))
        {
            Scene.Expect("mprotect", scene.Kernel.Call("file_mprotect", [0, 0, 0]), eperm);
        }

        Scene.ExpectValue(obj, "css_task_cnt", 1);
    }
}
