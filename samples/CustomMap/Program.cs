using CustomMap;
using Kptr;
using Kptr.Objects;
using Kptr.Specs;

// A map type of our own, used by a BPF program: which tasks are new since 100 ms, each held by a reference meanwhile.
var output = Console.Out;
var clock = new VirtualClock();
var type = new MapType(
    new(1000, "time window", BpfMapType.Hash),
    (kernel, spec) => new TimeWindowMap(kernel, spec, TimeSpan.FromMilliseconds(100)));
using var kernel = new KernelModel(new()
{
    LedgerLevel = LedgerLevel.Sites,
    Driver = DeferredDriver.Manual,
    Clock = clock,
    MapTypes = [type],
});
var path = Path.Combine(AppContext.BaseDirectory, "bpf", "window.bpf.o");
var program = BpfObject.Open(path).Load(kernel);            // declares __uint(type, 1000)
using var link = program.Programs["see"].Attach();
var window = (TimeWindowMap)program.Maps["window"];

var tasks = Enumerable.Range(1, 3).Select(i =>
{
    var task = kernel.Tasks.Fork(kernel.Tasks.Init, comm: $"worker/{i}");
    Say($"{task.Comm} forked, {window.Expire()} in the window");
    clock.Advance(TimeSpan.FromMilliseconds(40));
    return task;
}).ToArray();
kernel.Tasks.Exit(tasks[1]);
kernel.Tasks.Reap(tasks[1]);
kernel.Quiesce();
Say($"worker/2 exited and was reaped; {(tasks[1].IsFreed ? "gone" : "the window still holds it")}");
output.WriteLine(kernel.Ledger.WhoPins(tasks[1]));

clock.Advance(TimeSpan.FromMilliseconds(60));
Say($"{window.Expire()} in the window");
kernel.Quiesce();
Say($"worker/2 {(tasks[1].IsFreed ? "is gone" : "is still held")}");

link.Dispose();
program.Dispose();
kernel.Quiesce();
kernel.Ledger.AssertNoLeaks();
Say($"map {(window.IsFreed ? "freed" : "in use")}, all references are back");

void Say(string what) => output.WriteLine($"{kernel.NowNs / 1_000_000,4} ms  {what}");
