using System.Diagnostics.Metrics;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Concurrency;

/// <summary>
/// Who is called out must find no lock of ours held: each of these has another thread do, from inside of the
/// call, what needs the lock.
/// </summary>
public class CallOutTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void Snapshot_AsksADerivedMap_WhileAnotherThreadRecyclesUnderTheMapsOwnLock()
    {
        using var core = Boot(LedgerLevel.Sites);
        var map = new LockedMap(core);
        map.Fill(KernelRef.Own(new Widget(core)));
        map.OnAsked = () => OnAnotherThread(map.Recycle);
        core.Ledger.Snapshot().Entries.Should().NotBeEmpty();
        map.IsAsked.Should().BeTrue();
    }

    [Fact]
    public void FaultHandler_OfAMisuseInAnExchange_CanAskTheLedgerFromAnotherThread()
    {
        using var core = Boot(LedgerLevel.Sites);
        var heard = 0;
        core.FaultReported += (_, _) => OnAnotherThread(() => heard += core.Ledger.Snapshot().Entries.Length);
        var map = new LockedMap(core);
        var spent = KernelRef.Own(new Widget(core));
        spent.Release();
#pragma warning disable KPTR002 // the misuse that is meant
        map.Slot.Exchange(spent)?.Release();
#pragma warning restore KPTR002
        heard.Should().BeGreaterThan(0);
    }

    [Fact]
    public void HalfBuiltObject_IsShownByTypeAndAddress_AndDoesNotFailTheSnapshot()
    {
        using var core = Boot(LedgerLevel.Sites);
        LedgerSnapshot? seen = null;
        _ = new SlowlyBuilt(core, () => OnAnotherThread(() => seen = core.Ledger.Snapshot()), "name");
        seen!.Entries.Should().Contain(e => e.Object.StartsWith("widget@", StringComparison.Ordinal));
        core.Ledger.Snapshot().Entries.Should().Contain(e => e.Object == "slowly built NAME");
    }

    [Fact]
    public void CgroupRemovedInItsOwnTracepoint_GoesOfflineOnce()
    {
        using var core = Boot(LedgerLevel.Counts);
        var cgroup = core.Cgroups.Create("once");
        var second = Errno.None;
        core.Hooks = new Hook(name => second = name == "cgroup_rmdir" ? core.Cgroups.Remove(cgroup) : second);
        core.Cgroups.Remove(cgroup).Should().Be(Errno.None);
        second.Should().Be(Errno.ENOENT);
        core.Quiesce();
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void ThrowingHandlers_LoseNoReference_AndComeOutOfQuiesce()
    {
        using var core = Boot(LedgerLevel.Sites);
        var map = new LockedMap(core);
        var widget = new Widget(core);
        map.Fill(KernelRef.Own(widget));
        map.FieldDied += _ => throw new InvalidOperationException("of FieldDied");
        core.FaultReported += (_, _) => throw new InvalidOperationException("of FaultReported");
        using var listener = new MeterListener();
        listener.InstrumentPublished = (i, l) => l.EnableMeasurementEvents(i);
        listener.SetMeasurementEventCallback<long>((i, _, _, _) => ThrowFor(i.Meter == core.Metrics.Meter));
        listener.Start();
        map.Recycle();
        core.Report(new(DiagCode.RefDropped, "a fault"));
        var failed = FluentActions.Invoking(core.Quiesce).Should().Throw<AggregateException>().Which;
        failed.InnerExceptions.Select(e => e.Message).Should().BeEquivalentTo(
            "of FieldDied", "of the listener", "of FaultReported");
        widget.IsFreed.Should().BeTrue();
        core.TakeFaults().Should().ContainSingle();
        core.Quiesce();

        static void ThrowFor(bool isOurs)
        {
            if (isOurs)
            {
                throw new InvalidOperationException("of the listener");
            }
        }
    }

    [Fact]
    public void HandlerThatCausesAFault_IsNotCalledForEver()
    {
        using var core = Boot(LedgerLevel.Counts);
        var calls = 0;
        core.FaultReported += (_, _) =>
        {
            calls++;
            core.Report(new(DiagCode.RefDropped, "again"));
        };
        core.Report(new(DiagCode.RefDropped, "once"));
        calls.Should().Be(1);
        core.Faults.Should().HaveCount(2);
    }

    [Fact]
    public void TimerThatThrows_OnAPoolThread_ComesOutOfQuiesce()
    {
        using var core = new KernelCore(
            TestKernel.Spec, new() { Clock = TimeProvider.System, Driver = DeferredDriver.Manual });
        using var ran = new ManualResetEventSlim();
        var timer = new KernelTimer(core, () =>
        {
            ran.Set();
            throw new InvalidOperationException("of the timer");
        });
        timer.Start(1, isAbsolute: false).Should().Be(Errno.None);
        ran.Wait(Patience).Should().BeTrue();
        timer.Cancel();
        FluentActions.Invoking(core.Quiesce).Should().Throw<InvalidOperationException>().WithMessage("of the timer");
        timer.Start(long.MaxValue, isAbsolute: false).Should().Be(
            Errno.None, "a real clock takes no more than 49 days at once");
        timer.Free();
    }

    private static KernelCore Boot(LedgerLevel level) =>
        new(TestKernel.Spec, new() { LedgerLevel = level, Driver = DeferredDriver.Manual });

    private static void OnAnotherThread(Action action)
    {
        var thread = new Thread(() => action()) { IsBackground = true };
        thread.Start();
        thread.Join(Patience).Should().BeTrue("the other thread needs no lock that this one holds");
    }

    private sealed class Hook(Action<string> fired) : IHookSink
    {
        public void Fire(string tracepoint, ReadOnlySpan<ulong> args) => fired(tracepoint);
    }

    private sealed class SlowlyBuilt : KernelObject
    {
        private readonly string _name;

        internal SlowlyBuilt(KernelCore core, Action meanwhile, string name)
            : base(core, "widget", "refs")
        {
            meanwhile();
            _name = name;
        }

        public override string ToString() => $"slowly built {_name.ToUpperInvariant()}";
    }

    /// <summary>One slot, a lock of its own around everything, as in the sample of a map of one's own.</summary>
    private sealed class LockedMap : BpfMap
    {
        private readonly Lock _own = new();
        private readonly ValuePool _values;

        internal LockedMap(KernelCore core)
            : base(core, new("locked", BpfMapType.Hash)
            {
                KeySize = 4, ValueSize = 8, MaxEntries = 1, Record = new([new(BtfFieldKind.KptrRef, "p", 0, 8)]),
            })
        {
            _values = CreatePool(1);
            _values.TryTake(out _).Should().BeTrue();
        }

        internal Action? OnAsked { get; set; }

        internal bool IsAsked { get; private set; }

        internal unsafe ref Kptr<Widget> Slot => ref *(Kptr<Widget>*)_values.AddressOf(0);

        internal void Fill([TakesOwnership] KernelRef<Widget> widget) => Slot.Exchange(widget)?.Release();

        internal void Recycle()
        {
            using var dying = new DyingFields(this, DeathPath.Delete);
            lock (_own)
            {
                dying.Recycle(_values, 0);
            }
        }

        protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
        {
            IsAsked = true;
            OnAsked?.Invoke();
            lock (_own)
            {
                return true;
            }
        }

        protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller) => 0;

        protected override Errno UpdateValue(
            ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller) => Errno.E2BIG;

        protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller) => Errno.ENOENT;
    }
}
