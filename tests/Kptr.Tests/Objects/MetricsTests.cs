using System.Diagnostics.Metrics;
using Kptr.Diagnostics;
using Kptr.Objects;
using Microsoft.Extensions.Logging;

#pragma warning disable KPTR002 // the second release is the fault that is counted

namespace Kptr.Tests.Objects;

public class MetricsTests
{
    [Fact]
    public void Meter_TellsObjectsReferencesAndFaults()
    {
        using var core = TestKernel.Boot();
        var meter = core.Metrics.Meter;
        var seen = new Dictionary<string, long>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter == meter)
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => Add(instrument.Name, value));
        listener.SetMeasurementEventCallback<int>((instrument, value, _, _) => Add(instrument.Name, value));
        listener.Start();
        var created = core.Heap.CountObjects().Created;
        var widget = KernelRef.Own(new Widget(core));
        listener.RecordObservableInstruments();
        seen["kptr.objects.created"].Should().Be(created + 1);
        seen["kptr.deferred.pending"].Should().Be(0);
        seen["kptr.objects.live"].Should().Be(core.Heap.LiveObjects().Count());
        seen["kptr.references"].Should().Be(core.Ledger.Snapshot().Entries.Length);
        seen["kptr.pinned"].Should().Be(core.Ledger.PinnedBytes());
        widget.Release();
        widget.Release();
        core.Quiesce();
        seen["kptr.objects.freed"].Should().Be(0);
        listener.RecordObservableInstruments();
        seen["kptr.objects.freed"].Should().Be(1);
        seen["kptr.faults"].Should().Be(1);
        meter.Name.Should().Be("Kptr");

        void Add(string name, long value) => seen[name] = seen.GetValueOrDefault(name) + value;
    }

    [Fact]
    public void Logger_GetsEveryFault_WithItsCode()
    {
        var logger = new ListLogger();
        using var core = new KernelCore(TestKernel.Spec, new() { Driver = DeferredDriver.Manual, Logger = logger });
        var widget = KernelRef.Own(new Widget(core));
        widget.Release();
        widget.Release("Twice.cs", 9);
        var (level, id, text) = logger.Lines.Should().ContainSingle().Subject;
        (level, id).Should().Be((LogLevel.Error, 1));
        text.Should().Contain(nameof(DiagCode.RefCountUnderflow)).And.Contain("Twice.cs:9");
    }

    [Fact]
    public void Logger_GetsEveryGracePeriod_WithItsCallbacks()
    {
        var logger = new ListLogger();
        using var core = new KernelCore(TestKernel.Spec, new() { Driver = DeferredDriver.Manual, Logger = logger });
        KernelRef.Own(new Widget(core)).Release();
        core.Quiesce();
        var (level, id, text) = logger.Lines.Should().ContainSingle().Subject;
        (level, id).Should().Be((LogLevel.Debug, 2));
        text.Should().Be($"Grace period {core.Rcu.Sequence + 1} of rcu ended, 1 callbacks");
    }

    private sealed class ListLogger : ILogger
    {
        internal List<(LogLevel Level, int Id, string Text)> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            Lines.Add((logLevel, eventId.Id, formatter(state, exception)));
    }
}
