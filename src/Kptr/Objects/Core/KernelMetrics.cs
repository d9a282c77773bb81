using System.Diagnostics.Metrics;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The numbers of one kernel, under the meter <c>Kptr</c>.</summary>
/// <remarks>
/// Acquire, release and exchange are not counted one by one: that would cost more than they do. Totals are read from
/// the heap when a listener asks: only faults call a listener where they happen, and with no lock held.
/// </remarks>
internal sealed class KernelMetrics : IDisposable
{
    internal const string MeterName = "Kptr";
    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _faults;

    internal KernelMetrics(KernelCore core)
    {
        _faults = _meter.CreateCounter<long>("kptr.faults", "{fault}", "Faults of the modelled kernel, by code");
        _meter.CreateObservableCounter(
            "kptr.objects.created", () => core.Heap.CountObjects().Created, "{object}", "Kernel objects created");
        _meter.CreateObservableCounter(
            "kptr.objects.freed", () => core.Heap.CountObjects().Freed, "{object}", "Kernel objects freed");
        _meter.CreateObservableGauge(
            "kptr.objects.live", () => Live(core), "{object}", "Live kernel objects, by type");
        _meter.CreateObservableGauge(
            "kptr.references", () => References(core), "{reference}", "References, by kind of holder");
        _meter.CreateObservableGauge(
            "kptr.pinned", () => Pinned(core), "By", "Bytes of objects that users pin, by type");
        _meter.CreateObservableGauge(
            "kptr.deferred.pending", () => core.Deferred.PendingCount, "{item}", "Callbacks and work items waiting");
    }

    internal Meter Meter => _meter;

    internal void Faulted(DiagCode code)
    {
        if (_faults.Enabled)
        {
            _faults.Add(1, new KeyValuePair<string, object?>("code", code.ToString()));
        }
    }

    public void Dispose() => _meter.Dispose();

    private static IEnumerable<Measurement<long>> Live(KernelCore core) => core.Heap.LiveObjects()
        .GroupBy(o => o.TypeName)
        .Select(g => new Measurement<long>(g.Count(), new KeyValuePair<string, object?>("type", g.Key)));

    private static IEnumerable<Measurement<long>> References(KernelCore core) => core.Ledger.Snapshot().Entries
        .GroupBy(e => e.Holder.Kind)
        .Select(g => new Measurement<long>(g.Count(), new KeyValuePair<string, object?>("holder", g.Key)));

    private static IEnumerable<Measurement<long>> Pinned(KernelCore core) =>
        core.Ledger.Snapshot().PinnedBytes(e => e.Holder.IsKernel ? null : e.TypeName)
            .Select(p => new Measurement<long>(p.Value, new KeyValuePair<string, object?>("type", p.Key)));
}
