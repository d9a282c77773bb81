using Kptr.Objects;

namespace Kptr.Public.Tests.Events;

/// <summary>Handlers in C# for what the kernel passes: typed, checked, in order, and harmless to others.</summary>
public class HookHandlerTests
{
    [Fact]
    public void Handler_OfATracepointOfTheModel_GetsTheObjects()
    {
        using var kernel = PublicKernel.Boot();
        List<string> seen = [];
        using var fork = kernel.On(
            "sched_process_fork", (TaskStruct parent, TaskStruct child) => seen.Add($"{parent.Comm} > {child.Comm}"));
        using var exit = kernel.On("sched_process_exit", (TaskStruct task) => seen.Add($"{task.Comm} ends"));
        using var make = kernel.On("cgroup_mkdir", (Cgroup made, string? path) => seen.Add($"{made.Path} {path}"));
        using var any = kernel.On("sched_process_exit", () => seen.Add("an end"));

        kernel.Cgroups.Create("web");
        kernel.Tasks.Exit(kernel.Tasks.Fork(kernel.Tasks.Init, "nginx"));

        seen.Should().Equal("/web ", "init > nginx", "nginx ends", "an end");
    }

    [Fact]
    public void Handler_OfARaisedHook_GetsNumbersAsNumbers()
    {
        using var kernel = PublicKernel.Boot();
        (bool Preempt, TaskStruct Prev, ulong Next, uint State)? seen = null;
        using var on = kernel.On("sched_switch", (bool preempt, TaskStruct prev, ulong next, uint state) =>
            seen = (preempt, prev, next, state));

        kernel.Raise("sched_switch", 1, kernel.Tasks.Init.Address, 0x1234, 0xffff_ffff_8000_0001);

        seen.Should().Be((true, kernel.Tasks.Init, 0x1234ul, 0x8000_0001u));
    }

    [Fact]
    public void Handler_OfAFunctionOrLsmHook_IsToldOfItsCalls()
    {
        using var kernel = PublicKernel.Boot();
        List<object?> seen = [];
        using var function = kernel.On("fentry/do_exit", (long code) => seen.Add(code));
        using var hook = kernel.On("file_open", (KernelFile file) => seen.Add(file));
        var file = new KernelFile(kernel, "/etc/passwd");

        kernel.Call("do_exit", [ulong.MaxValue]);
        kernel.Call("file_open", [file.Address]);
        kernel.Call("file_open", [0]);

        seen.Should().Equal(-1L, file, null);
        file.Close();
    }

    [Theory]
    [InlineData("sched_proces_exit", "\"sched_process_exit\"")]
    [InlineData("fle_open", "\"file_open\"")]
    [InlineData("tp_btf/do_exit", "it is a function")]
    [InlineData("fentry/sched_switch", "it is a tracepoint")]
    [InlineData("softirq_entry", "do not say which arguments")]
    public void Handler_OfAMistypedHook_IsRefusedWithNearNames(string hook, string said)
    {
        using var kernel = PublicKernel.Boot();

        var on = () => kernel.On(hook, (TaskStruct task) => { });

        on.Should().Throw<ArgumentException>().WithMessage($"*{said}*");
    }

    [Fact]
    public void Handler_OfOtherTypes_IsRefusedWithTheRightOnes()
    {
        using var kernel = PublicKernel.Boot();
        static void Refused(Func<IDisposable> on, string said) =>
            on.Should().Throw<ArgumentException>().WithMessage($"*{said}*");

        Refused(() => kernel.On("sched_process_exit", (Cgroup c) => { }), "(\"p\") is struct task_struct ?, which is "
            + "TaskStruct or ulong, not Cgroup");
        Refused(() => kernel.On("sched_process_exit", (TaskStruct t, int n) => { }), "it has 1");
        Refused(() => kernel.On("task_newtask", (TaskStruct t, long flags) => { }), "is ulong, not long");
        Refused(() => kernel.On("sched_process_exec", (TaskStruct t, uint pid) => { }), "is int, not uint");
        Refused(() => kernel.On("sched_switch", (int preempt) => { }), "is bool, not int");
        Refused(() => kernel.On("cgroup_mkdir", (Cgroup c, int path) => { }), "char ?, which is string or ulong");
    }

    [Theory]
    [InlineData("sched_swich", "tracepoint*\"sched_switch\"")]
    [InlineData("do_exit", "it is a function")]
    [InlineData("", "")]
    public void Raise_OfAMistypedHook_IsRefused(string hook, string said)
    {
        using var kernel = PublicKernel.Boot();

        kernel.Invoking(k => k.Raise(hook, 1)).Should().Throw<ArgumentException>().WithMessage($"*{said}*");
        kernel.Invoking(k => k.RaiseEvent("sched/sched_swich", [])).Should().Throw<ArgumentException>()
            .WithMessage("*\"sched/sched_switch\"*");
        kernel.Invoking(k => k.Call("do_exitt", [])).Should().Throw<ArgumentException>().WithMessage("*\"do_exit\"*");
        kernel.Raise("softirq_entry", 1); // Linux has it, and nobody listens
        kernel.RaiseEvent("syscalls/sys_enter_openat", []);
    }

    [Fact]
    public void DeclaredHook_CanBeRaisedCalledAndListenedTo()
    {
        using var kernel = PublicKernel.Boot();
        List<string> seen = [];
        kernel.DeclareHook("my_event");
        using var on = kernel.On("my_event", (TaskStruct task, short n) => seen.Add($"{task.Comm} {n}"));

        kernel.Raise("my_event", kernel.Tasks.Init.Address, 0xffff);
        kernel.Call("my_event", [kernel.Tasks.Init.Address, 2], () => 7).Should().Be(7);

        seen.Should().Equal("init -1", "init 2");
    }

    [Fact]
    public void Handler_ThatThrows_KeepsNobodyFromBeingTold()
    {
        using var kernel = PublicKernel.Boot();
        List<int> seen = [];
        using var first = kernel.On("sched_process_exit", () => throw new FormatException("mine"));
        using var second = kernel.On("sched_process_exit", (TaskStruct task) => seen.Add(task.Pid));
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);

        kernel.Tasks.Exit(task);
        kernel.Tasks.Reap(task).Should().BeTrue();

        seen.Should().Equal(task.Pid);
        kernel.Invoking(k => k.Quiesce()).Should().Throw<FormatException>().WithMessage("mine");
        kernel.Quiesce();
        task.IsFreed.Should().BeTrue();
    }

    [Fact]
    public void Handler_AddedAndRemovedInsideAHandler_CountsFromTheNextEventOn()
    {
        using var kernel = PublicKernel.Boot();
        List<string> seen = [];
        IDisposable? second = null, third = null;
        using var first = kernel.On("sched_process_hang", () =>
        {
            seen.Add("first");
            second!.Dispose();
            third ??= kernel.On("sched_process_hang", () => seen.Add("third"));
        });
        second = kernel.On("sched_process_hang", () => seen.Add("second"));

        kernel.Raise("sched_process_hang", 0);
        kernel.Raise("sched_process_hang", 0);
        third!.Dispose();
        third.Dispose();
        first.Dispose();
        kernel.Raise("sched_process_hang", 0);

        seen.Should().Equal("first", "first", "third");
    }

    [Fact]
    public void Handler_ThatRaisesItsOwnHook_EndsAndIsToldOf()
    {
        using var kernel = PublicKernel.Boot();
        var calls = 0;
        using var on = kernel.On("sched_process_fork", (TaskStruct parent, TaskStruct child) =>
        {
            calls++;
            kernel.Tasks.Fork(child);
        });

        kernel.Tasks.Fork(kernel.Tasks.Init);

        calls.Should().Be(32);
        kernel.Invoking(k => k.Quiesce()).Should().Throw<InvalidOperationException>().WithMessage("*32 deep*");
    }

    [Fact]
    public void Handler_MayUseTheWholeModel()
    {
        using var kernel = PublicKernel.Boot();
        using var on = kernel.On("sched_process_exit", (TaskStruct task) =>
        {
            task.AddCpuTime(10, 1);
            kernel.Cgroups.Attach(kernel.Cgroups.Create($"end-{task.Pid}"), task);
        });
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);

        kernel.Tasks.Exit(task);

        kernel.Cgroups.Find($"/end-{task.Pid}").Should().Be(task.Cgroup);
        kernel.Cgroups.Root.CpuTime.TotalNs.Should().Be(11);
        kernel.Quiesce();
    }

    [Fact]
    public void Raise_WithFewerArgumentsThanAHandlerTakes_IsAFailureOfTheNextQuiesce()
    {
        using var kernel = PublicKernel.Boot();
        using var on = kernel.On("sched_process_fork", (TaskStruct parent, TaskStruct child) => { });

        kernel.Raise("sched_process_fork", kernel.Tasks.Init.Address);

        kernel.Invoking(k => k.Quiesce()).Should().Throw<InvalidOperationException>()
            .WithMessage("*1 arguments*takes 2*");
    }

    [Fact]
    public async Task Handlers_AddedAndRemovedByManyThreads_AreToldOrNot()
    {
        using var kernel = PublicKernel.Boot();
        var told = 0;
        using var stays = kernel.On("sched_process_hang", () => Interlocked.Increment(ref told));

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 200; i++)
            {
                var mine = 0;
                using (kernel.On("sched_process_hang", () => Interlocked.Increment(ref mine)))
                {
                    kernel.Raise("sched_process_hang", 0);
                }

                mine.Should().BePositive();
            }
        })));

        told.Should().Be(800);
        kernel.Quiesce();
    }
}
