using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Objects;

/// <summary>Which tracepoints and LSM hooks a life passes, with what, in which order.</summary>
public class HookOrderTests
{
    [Fact]
    public void Process_FromItsForkToItsEnd()
    {
        using var core = TestKernel.Boot();
        var (tasks, init) = (core.Tasks, core.Tasks.Init);
        var hooks = Watch(core);
        var task = tasks.Fork(init, "a", CloneFlags.Files);
        hooks.Take().Should().Equal(
            $"task_alloc {task.Address:x} 400", $"task_newtask {task.Address:x} 400",
            $"sched_process_fork {init.Address:x} {task.Address:x}");
        tasks.Rename(task, "other");
        hooks.Take().Should().ContainSingle().Which.Should().StartWith($"task_rename {task.Address:x} ");
        hooks.Name.Should().Be("other", "the new name is there before the task has it");
        tasks.Exec(task, "b");
        hooks.Take().Should().Equal($"sched_process_exec {task.Address:x} {task.Pid:x} 0");
        tasks.Exit(task);
        hooks.Take().Should().Equal(
            $"sched_process_exit {task.Address:x}", $"sched_switch 0 {task.Address:x} {init.Address:x} 80");
        tasks.Reap(task);
        core.Quiesce();
        hooks.Take().Should().Equal($"sched_process_free {task.Address:x}", $"task_free {task.Address:x}");
    }

    [Fact]
    public void KernelThreads_AreAnnounced_AdoptedTasksAreNot()
    {
        using var core = TestKernel.Boot();
        var hooks = Watch(core);
        var thread = core.Tasks.ForkKthread("kworker");
        hooks.Take().Select(h => h.Split(' ')[0]).Should().Equal("task_alloc", "task_newtask", "sched_process_fork");
        core.Tasks.Adopt(core.Tasks.Init, new());
        hooks.Take().Should().BeEmpty();
        core.Tasks.Exit(thread, switchOut: false);
        hooks.Take().Should().Equal($"sched_process_exit {thread.Address:x}");
        var idle = core.Tasks.IdleOf(1);
        core.Tasks.SwitchOut(thread, idle).Should().BeTrue();
        hooks.Take().Should().Equal($"sched_switch 0 {thread.Address:x} {idle.Address:x} 80");
        core.Tasks.SwitchOut(thread).Should().BeFalse();
        hooks.Take().Should().BeEmpty();
    }

    [Fact]
    public void Signals_AreAskedFor_Generated_AndDelivered()
    {
        using var core = TestKernel.Boot();
        var (tasks, init) = (core.Tasks, core.Tasks.Init);
        var (sender, target) = (tasks.Fork(init), tasks.Fork(init));
        sender.SetUser(1000, 100);
        target.SetUser(1000, 100);
        var hooks = Watch(core);
        string[] Passed(int signal, TaskStruct to)
        {
            tasks.Kill(sender, to, signal).Should().Be(Errno.None);
            return [.. hooks.Take().Select(h => string.Join(' ', h.Split(' ').Where(w => w != $"{hooks.Info:x}")))];
        }

        hooks.Asked = (name, args) =>
        {
            if (name == "task_kill")
            {
                core.AssertFields("kernel_siginfo", args[1],
                [
                    (args[2], "si_signo"), (0, "si_code"), ((ulong)sender.Tgid, "_sifields._kill._pid"),
                    (1000, "_sifields._kill._uid.val"),
                ]);
            }
        };
        Passed(0, target).Should().Equal($"task_kill {target.Address:x} 0 0");
        Passed(19, target).Should().Equal(
            $"task_kill {target.Address:x} 13 0", $"signal_generate 13 {target.Address:x} 1 0", "signal_deliver 13 0");
        Passed(17, target).Should().Equal(
            [$"task_kill {target.Address:x} 11 0", $"signal_generate 11 {target.Address:x} 1 1"], "it is ignored");
        hooks.Refusal = (long)Errno.EACCES;
        tasks.Kill(sender, target, 9).Should().Be(Errno.EACCES);
        hooks.Take().Should().ContainSingle();
        hooks.Refusal = 0;
        Passed(9, target).Should().HaveCount(5).And.HaveElementAt(3, $"sched_process_exit {target.Address:x}");
    }

    [Fact]
    public void Cgroups_FromMkdirToTheirRelease()
    {
        using var core = TestKernel.Boot();
        var hooks = Watch(core);
        var group = core.Cgroups.Create("g");
        hooks.Take().Should().Equal($"cgroup_mkdir {group.Address:x} 0");
        var task = core.Tasks.Fork(core.Tasks.Init);
        var thread = core.Tasks.ForkThread(task);
        hooks.Take();
        core.Cgroups.Attach(group, thread).Should().Be(Errno.None);
        hooks.Take().Should().Equal($"cgroup_attach_task {group.Address:x} 0 {task.Address:x} 1");
        core.Cgroups.Remove(group).Should().Be(Errno.EBUSY);
        core.Cgroups.Attach(core.Cgroups.Root, task);
        hooks.Take();
        core.Cgroups.Remove(group).Should().Be(Errno.None);
        hooks.Take().Should().Equal($"cgroup_rmdir {group.Address:x} 0");
        core.Quiesce();
        hooks.Take().Should().Equal($"cgroup_release {group.Address:x} 0");
    }

    private static Watcher Watch(KernelCore core)
    {
        var watcher = new Watcher();
        core.Hooks = watcher;
        return watcher;
    }

    private sealed unsafe class Watcher : IHookSink
    {
        private readonly List<string> _passed = [];

        internal long Refusal { get; set; }

        internal Action<string, ulong[]>? Asked { get; set; }

        /// <summary>Where the last signal's <c>kernel_siginfo</c> was.</summary>
        internal ulong Info { get; private set; }

        /// <summary>What the last rename pointed at.</summary>
        internal string? Name { get; private set; }

        public void Fire(string tracepoint, ReadOnlySpan<ulong> args)
        {
            Add(tracepoint, args);
            Name = tracepoint == "task_rename" ? new string((sbyte*)args[1]) : Name;
        }

        public long Ask(string hook, ReadOnlySpan<ulong> args)
        {
            Add(hook, args);
            Asked?.Invoke(hook, args.ToArray());
            Info = hook == "task_kill" ? args[1] : Info;
            return hook == "task_free" ? 0 : Refusal;
        }

        internal List<string> Take()
        {
            var passed = _passed.ToList();
            _passed.Clear();
            return passed;
        }

        private void Add(string name, ReadOnlySpan<ulong> args) =>
            _passed.Add($"{name} {string.Join(' ', args.ToArray().Select(a => $"{a:x}"))}".TrimEnd());
    }
}
