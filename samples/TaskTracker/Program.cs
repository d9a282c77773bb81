using Kptr;
using Kptr.Maps;
using Kptr.Objects;
using TaskTracker;

// Collects tasks with a real BPF program, says who they are and what keeping them costs, and
// gives every reference back.
var output = Console.Out;
using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });

output.WriteLine($"1. task_tracker.bpf.o on {kernel.Spec.Profile.Name}");
foreach (var verdict in ObjectCheck.Run(ObjectPath("task_tracker.bpf.o"), kernel.Spec))
{
    VerdictPrinter.Print(verdict, output);
}

using var tracker = BpfObject.Open(ObjectPath("task_tracker.bpf.o")).Load(kernel);
BpfLink[] links = [
    tracker.Programs["on_newtask"].Attach(), tracker.Programs["on_exec"].Attach(), tracker.Programs["on_exit"].Attach(),
];
var system = SmallSystem.Boot(kernel);
kernel.Quiesce();

output.WriteLine();
output.WriteLine("2. The tasks it keeps, while they run, exit and are reaped");
var report = new TaskReport(kernel, tracker, output);
report.PrintTasks(system.Tasks);
report.PrintEvents();

output.WriteLine();
output.WriteLine("3. What keeping them costs");
report.PrintCosts();

output.WriteLine();
output.WriteLine($"4. User space deletes the entry of {system.Backup}");
report.PrintRelease(system.Backup, () => tracker.Maps["tasks"].Delete(system.Backup.Pid));

output.WriteLine();
output.WriteLine("5. The programs are detached and the object is closed, which frees map \"tasks\"");
report.PrintRelease(system.Worker, () =>
{
    Array.ForEach(links, link => link.Dispose());
    tracker.Dispose();
});

kernel.Ledger.AssertAllReturned();
output.WriteLine();
output.WriteLine("All references are back: nobody but the kernel itself holds a task.");

output.WriteLine();
output.WriteLine("6. task_leak.bpf.o: one ownership fault a program, and the same program mended");
foreach (var verdict in ObjectCheck.Run(ObjectPath("task_leak.bpf.o"), kernel.Spec))
{
    VerdictPrinter.Print(verdict, output);
}

return kernel.Faults.Count == 0 ? 0 : 1;

static string ObjectPath(string name) => Path.Combine(AppContext.BaseDirectory, "bpf", name);
