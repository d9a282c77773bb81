using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Model;

/// <summary>Every kind of place that can hold a reference, as the ledger names it.</summary>
public class HolderTests
{
    private struct Entry
    {
        public Kptr<TaskStruct> Task;
    }

    [Theory]
    [InlineData("in_register", "program \"in_register\" run 1 in r6, since in_register insn 1 (holders.bpf.c:23)")]
    [InlineData("on_stack", "program \"on_stack\" run 1 in fp-8, since on_stack insn 1 (holders.bpf.c:34)")]
    public void Program_ThatRuns_HoldsItInARegisterOrStackSlot(string program, string holder)
    {
        using var kernel = Boot();
        using var obj = BpfObject.Open(TestData.Path("run", "holders.bpf.o")).Load(kernel);
        Run(obj, program, kernel.Tasks.Init);
        AskKfuncs.AnswersIn(kernel).Should().Equal(holder);
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void PerCpuSlot_IsNamedWithItsCpu()
    {
        using var kernel = Boot();
        using var obj = BpfObject.Open(TestData.Path("run", "holders.bpf.o")).Load(kernel);
        kernel.CurrentCpu = 1;
        Run(obj, "in_percpu_slot", kernel.Tasks.Init);
        HoldersOf(kernel, kernel.Tasks.Init).Should().Equal(new MapHolder("percpu", "1", "task", Cpu: 1));
    }

    [Fact]
    public void CSharp_HoldsItSinceALine()
    {
        using var kernel = Boot();
        var reference = kernel.Tasks.Init.TryAcquire("Handler.cs", 12)!.Value;
        HoldersOf(kernel, kernel.Tasks.Init).Should().Equal(new CSharpHolder(new RefSite("Handler.cs", 12)));
        reference.Release();
    }

    [Fact]
    public void RecycledElement_HoldsIt_UntilTheMapGoes()
    {
        using var kernel = Boot(KernelProfile.Linux7_2);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        using (var map = new HashMap<int, Entry>(kernel, 4, "tasks"))
        {
            using (kernel.Rcu.ReadLock())
            {
                map.LookupOrInit(1).Task.Exchange(task.TryAcquire())?.Release();
            }

            HoldersOf(kernel, task).Should().Equal(new MapHolder("tasks", "1", "Task"));
            map.Delete(1);
            kernel.Quiesce();
            HoldersOf(kernel, task).Should().Equal(new RecycledHolder("tasks", "Task"));
            kernel.Ledger.FindLeaks().Should().BeEmpty("that kernel leaves it there, and the map gives it back");
            kernel.Ledger.AssertNoLeaks();
        }

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void DeferredQueue_HoldsWhatNobodyElseDoes_AndIsNoLeak()
    {
        using var kernel = Boot();
        var task = kernel.Tasks.Fork(kernel.Tasks.Init);
        kernel.Tasks.Exit(task);
        kernel.Tasks.Reap(task);                                        // rcu_users 0
        var report = kernel.Ledger.WhoPins(task);
        report.Count.Should().Be(0);
        report.Entries.Should().ContainSingle().Which.Holder.Should().Be(
            new DeferredHolder("rcu", "delayed_put_task_struct"));
        kernel.Ledger.AssertAllReturned();
        kernel.Quiesce();
        kernel.Ledger.WhoPins(task).Entries.Should().BeEmpty();
    }

    [Fact]
    public void ListAndTree_AreNamedWithTheMapTheyAreIn()
    {
        using var kernel = Boot();
        using var obj = BpfObject.Open(TestData.Path("run", "graphs.bpf.o")).Load(kernel);
        Run(obj, "leave_in_both", kernel.Tasks.Init);
        kernel.Ledger.Snapshot().Entries.Select(e => e.Holder).OfType<CollectionHolder>().Select(
            h => (h.Collection, h.In.Kind))
            .Should().BeEquivalentTo([("list", "map"), ("rbtree", "map")]);
    }

    private static KernelModel Boot(KernelProfile? profile = null) => new(new()
    {
        Profile = profile ?? KernelProfile.Linux6_12,
        Kfuncs = KfuncRegistry.Builtin.With(typeof(AskKfuncs)),
        LedgerLevel = LedgerLevel.Sites,
        Driver = DeferredDriver.Manual,
    });

    private static void Run(BpfObject obj, string program, TaskStruct task) =>
        obj.Programs[program].TestRun(BitConverter.GetBytes(task.Pid)).Should().Be(new ProgramResult(0, null));

    private static IEnumerable<Holder> HoldersOf(KernelModel kernel, KernelObject obj) =>
        kernel.Ledger.WhoPins(obj).Users.Select(e => e.Holder);

    internal static class AskKfuncs
    {
        [Kfunc("ask_ledger", Prototype = "void ask_ledger(void)")]
        internal static void Ask(KernelCore kernel) =>
            AnswersIn(kernel).AddRange(kernel.Ledger.WhoPins(kernel.Tasks.Init).Users.Select(e => e.ToString()));

        internal static List<string> AnswersIn(KernelCore kernel) => kernel.Single(static _ => new List<string>());
    }
}
