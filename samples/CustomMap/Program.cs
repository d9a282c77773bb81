using CustomMap;
using Kptr;
using Kptr.Objects;

// A map type of our own: which tasks were seen in the last 100 ms, each held by a reference while it is in the window.
var output = Console.Out;
var clock = new VirtualClock();
using var kernel = new KernelModel(
    new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual, Clock = clock });
var window = new TimeWindowMap(kernel, "window", maxEntries: 16, TimeSpan.FromMilliseconds(100), bucketCount: 10);

// A freed task's memory is poisoned, its name too: keep the names.
var tasks = Enumerable.Range(1, 3).Select(i => kernel.Tasks.Fork(kernel.Tasks.Init, comm: $"worker/{i}")).ToArray();
var names = tasks.Select(t => t.Comm).ToArray();
foreach (var task in tasks)
{
    using (kernel.Rcu.ReadLock())
    {
        ref var seen = ref window.See(task.Pid);
        seen.Times++;
        seen.Task.Exchange(task.TryAcquire())?.Release();
    }

    output.WriteLine($"{kernel.NowNs / 1_000_000,4} ms  saw {task.Comm}, {window.Count} in the window");
    clock.Advance(TimeSpan.FromMilliseconds(40));
}

kernel.Tasks.Exit(tasks[1]);
kernel.Tasks.Reap(tasks[1]);
kernel.Quiesce();
output.WriteLine(
    $"{kernel.NowNs / 1_000_000,4} ms  {names[1]} exited and was reaped; "
        + $"{(tasks[1].IsFreed ? "gone" : "the window still holds it")}");
output.WriteLine($"{kernel.NowNs / 1_000_000,4} ms  {window.Count} in the window: {names[0]} has left it");

clock.Advance(TimeSpan.FromMilliseconds(60));
window.Expire();
kernel.Quiesce();
output.WriteLine(
    $"{kernel.NowNs / 1_000_000,4} ms  {window.Count} in the window; "
        + $"{names[1]} {(tasks[1].IsFreed ? "is gone" : "is still held")}");

window.Dispose();
kernel.Quiesce();
kernel.Ledger.AssertNoLeaks();
output.WriteLine($"map {(window.IsFreed ? "freed" : "in use")}, all references are back");
