using System.Runtime.InteropServices;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Public.Tests.Events;
using Kptr.Specs;

namespace Kptr.Public.Tests.Pages;

/// <summary>What docs/events.md shows.</summary>
public class EventsPageTests
{
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Exit(ulong Pid);

    [Fact]
    public void Handlers()
    {
        using var kernel = PublicKernel.Boot();
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "bash");
        var file = new KernelFile(kernel, "/etc/passwd");

        using var exits = kernel.On(
            "sched_process_exit", (TaskStruct ended) => Console.WriteLine($"{ended.Comm} used {ended.CpuTime}"));
        using var opens = kernel.On("file_open", (KernelFile opened) => Console.WriteLine(opened));
        kernel.Tasks.Exit(task);                       // the model passes the tracepoint
        kernel.Call("file_open", [file.Address]);      // a test calls the LSM hook

        kernel.Quiesce();
        kernel.Faults.Should().BeEmpty();
        file.Close();
    }

    [Fact]
    public async Task Records()
    {
        using var kernel = PublicKernel.Boot();
        using var producer = new Producer(kernel, BpfMapType.Ringbuf, 4096);
        using var source = new CancellationTokenSource();
        var (ring, cancellation) = ((RingBufMap)producer.Map, source.Token);
        List<Exit> seen = [];
        producer.Send(1, 0);
        producer.Send(2, 0);

        var stream = Stream();
        await source.CancelAsync();
        await stream.Invoking(s => s.WaitAsync(TimeSpan.FromSeconds(30))).Should()
            .ThrowAsync<OperationCanceledException>();
        using var consumer = ring.Consume<Exit>(record => seen.Add(record.Value));
        producer.Send(3, 0);
        kernel.Quiesce();
        seen.Should().Equal(new Exit(1), new Exit(2), new Exit(3));

        async Task Stream()
        {
            await foreach (var record in ring.ReadAllAsync<Exit>(cancellation))       // waits until the program sends
            {
                seen.Add(record.Value);
            }
        }
    }
}
