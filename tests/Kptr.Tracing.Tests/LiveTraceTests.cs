using System.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tracing.Tests;

public class LiveTraceTests
{
    [Fact]
    public void Machine_IsTraced_OrSaysWhyNot()
    {
        LiveTrace live;
        try
        {
            live = LiveTrace.Start(new() { HasSwitches = false });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Where tracing is not permitted there is nothing more to see, but that it is said.
            e.Message.Should().NotBeEmpty();
            return;
        }

        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual, CpuCount = 1024 });
        var forked = new HashSet<int>();
        kernel.On("task_newtask", (TaskStruct task) => forked.Add(task.Pid));
        using (live)
        {
            var children = Enumerable.Range(0, 20).Select(_ => Process.Start("true")).ToList();
            children.ForEach(c => c.WaitForExit());
            live.Stop();
            new TraceReplay(kernel).Run(live.Reader);
            live.Reader.BadLines.Should().Be(0);
            forked.Should().Contain(children.Select(c => c.Id));
        }

        live.Invoking(l => l.Stop()).Should().NotThrow();
    }

    [Fact]
    public void NoTraceFileSystem_IsAnError()
    {
        FluentActions.Invoking(() => LiveTrace.Start(new() { Tracefs = AppContext.BaseDirectory }))
            .Should().Throw<IOException>();
        FluentActions.Invoking(() => LiveTrace.Start(new() { BufferKiB = 0 })).Should().Throw<ArgumentException>();
    }
}
