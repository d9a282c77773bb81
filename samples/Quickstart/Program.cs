using Kptr;
using Kptr.Maps;
using Kptr.Objects;

using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites });
var path = Path.Combine(AppContext.BaseDirectory, "task_tracker.bpf.o");
using BpfObject tracker = BpfObject.Open(path).Load(kernel);        // relocated, maps made, programs verified
using BpfLink link = tracker.Programs["on_newtask"].Attach();       // SEC("tp_btf/task_newtask")

TaskStruct child = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");   // runs the program, which keeps the task
kernel.Tasks.Exit(child);
kernel.Tasks.Reap(child);
kernel.Quiesce();
Console.WriteLine(kernel.Ledger.WhoPins(child));                    // a map does, since that line of C

tracker.Maps["tasks"].Delete(child.Pid);                            // user space deletes: the destructor runs
kernel.Quiesce();
Console.WriteLine($"freed: {child.IsFreed}");
kernel.Ledger.AssertAllReturned();
