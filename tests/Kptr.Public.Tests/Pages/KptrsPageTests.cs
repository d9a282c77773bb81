using Kptr.Maps;
using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Public.Tests.Pages;

internal struct TaskEntry
{
    public Kptr<TaskStruct> Task;                       // the struct is the map's value; never copy one
    public ulong Seen;
}

/// <summary>What docs/kptrs.md shows in C#.</summary>
public class KptrsPageTests
{
    [Fact]
    public void SlotAndReference()
    {
        using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "bash");

        using var tasks = new HashMap<int, TaskEntry>(kernel, maxEntries: 16);
        KernelRef<TaskStruct>? mine = task.TryAcquire();        // null once the last user is gone
        using (kernel.Rcu.ReadLock())                           // values stay until its end
        {
            ref TaskEntry entry = ref tasks.LookupOrInit(task.Pid);
            entry.Task.Exchange(mine)?.Release();               // mine is dead now; what was there is ours
            Console.WriteLine(entry.Task.Peek()?.Comm);         // a look, without a reference
        }

        kernel.Quiesce();
        kernel.Ledger.WhoPins(task).Users.Should().ContainSingle().Which.Holder.Kind.Should().Be("map");
        tasks.Delete(task.Pid);
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Variables()
    {
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        var path = Path.Combine(RepoRoot.Path, "tests", "data", "run", "variables.bpf.o");

        using BpfObject tracker = BpfObject.Open(path);
        tracker.Variables["target_pid"].Set(1234);
        tracker.Load(kernel);
        Console.WriteLine(tracker.Variables["hits"].Get<ulong>());

        tracker.Programs["work"].TestRun();
        tracker.Variables["hits"].Get<ulong>().Should().Be(1);
    }

    [Fact]
    public void PageOfALedger()
    {
        using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });
        var page = Path.GetTempFileName();
        try
        {
            File.WriteAllText(page, kernel.Ledger.ToHtml("after the reader left"));
            File.ReadAllText(page).Should().StartWith("<!").And.Contain("after the reader left");
        }
        finally
        {
            File.Delete(page);
        }
    }
}
