using System.Runtime.InteropServices;
using CustomObject;
using Kptr;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;

// A kernel object of our own, declared in GpuQueue.cs: a BPF program opens, shares and keeps it; user space deletes it.
using var kernel = new KernelModel(new()
{
    Declarations = GpuQueue.Declaration,
    Kfuncs = KfuncRegistry.Builtin.With(typeof(GpuQueue)),
    LedgerLevel = LedgerLevel.Sites,
    Driver = DeferredDriver.Manual,
});
using var obj = BpfObject.Open(Path.Combine(AppContext.BaseDirectory, "bpf", "gpu_queue.bpf.o")).Load(kernel);
using var link = obj.Programs["on_newtask"].Attach();
var queues = obj.Maps["queues"];

var server = kernel.Tasks.Fork(kernel.Tasks.Init, "server");
var client = kernel.Tasks.Fork(kernel.Tasks.Init, "client");
PrintQueues("Two processes, a queue each:");

int[] share = [server.Pid, client.Pid];
obj.Programs["share"].TestRun(MemoryMarshal.AsBytes(share.AsSpan()));
kernel.Quiesce();
PrintQueues("The client shares the server's queue; its own had no other user:");

queues.Delete(server.Pid);
kernel.Quiesce();
PrintQueues("User space deletes the server's entry; the client's still pins the queue:");

queues.Delete(client.Pid);
kernel.Quiesce();
PrintQueues("User space deletes the client's entry, the last one:");
kernel.Ledger.AssertAllReturned();
Console.WriteLine("All references are back.");

void PrintQueues(string what)
{
    Console.WriteLine(what);
    foreach (var entry in kernel.Ledger.Snapshot().Entries.Where(e => e.TypeName == "gpu_queue"))
    {
        Console.WriteLine($"   {entry.Object}, {entry.SizeBytes} bytes: {entry}");
    }
}
