using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Carries one cell out and compares, step by step.</summary>
internal sealed unsafe partial class SweepRun : IAsyncFields
{
    private const int Present = 1;
    private const int Missing = 3;
    private static readonly byte[] Ones = [
        .. Enumerable.Repeat((byte)0xff, 8 * SweepCell.CpuCount * SweepCell.ValueBytes),
    ];
    private readonly SweepCell _cell;
    private readonly KernelCore _core;

    // The map that the cell is about; the one whose values have the fields; the one around it.
    private readonly BpfMap _map;
    private readonly BpfMap _values;
    private readonly BpfMap? _outer;
    private readonly BpfMap? _otherInner;
    private readonly SweepOwner? _owner;
    private readonly SweepOwner? _otherOwner;
    private readonly List<SweepThing> _things = [];
    private readonly List<string> _wrong = [];
    private int _cancelled;

    private SweepRun(SweepCell cell, KernelCore core, BpfMap values)
    {
        _cell = cell;
        _core = core;
        _values = values;
        _values.AsyncFields = this;
        if (cell.IsOuter || cell.IsInner)
        {
            _outer = MapFactory.Create(core, cell.OuterSpec());
            _otherInner = cell.IsOuter ? MapFactory.Create(core, cell.Spec()) : null;
        }

        _map = cell.IsOuter ? _outer! : values;
        if (cell.IsStorage)
        {
            _owner = new(core, cell.Map, 1000);
            _otherOwner = new(core, cell.Map, 1001);
        }
    }

    /// <summary>What differs from Linux, or an empty list.</summary>
    internal static IReadOnlyList<string> Check(SweepCell cell, KernelCore core)
    {
        var err = MapFactory.TryCreate(core, cell.Spec(), out var map);
        if (cell.IsRefused())
        {
            return err == Errno.EOPNOTSUPP ? [] : [$"creation gives {err}, not EOPNOTSUPP"];
        }

        return err == Errno.None ? new SweepRun(cell, core, map!).Run() : [$"creation gives {err}"];
    }

    IDisposable? IAsyncFields.Cancel(BpfMap map, BtfField field, ulong address)
    {
        _cancelled++;
        return null;
    }

    private List<string> Run()
    {
        SetUp();
        ExpectConserved("set up");
        var found = Perform();
        Expect("errno", _cell.ErrnoOf(), found);
        ExpectConserved("the operation");
        if (_cell.CancelledBy() is { } cancelled)
        {
            Expect("timers and work cancelled", cancelled, _cancelled);
        }

        _core.Quiesce();
        ExpectConserved("a quiesce");
        var late = _things.Count(t => t.IsLate);
        Expect(
            "references given back", _cell.DestroyedBy() + (_cell.EndsLateWrite() ? late : 0),
            _things.Where(t => !t.IsTakenOut).Sum(t => t.DestructorRuns));
        TearDown();
        return _wrong;
    }

    private void SetUp()
    {
        if (_outer is not null)
        {
            // Only the outer map holds the inner one from here on.
            Expect("set up", Errno.None,
                _outer.UpdateElem(BitConverter.GetBytes(Present), BitConverter.GetBytes(_values.Id)));
            _values.Dispose();
        }

        if (_cell.Context == SweepContext.ExitingOwner)
        {
            // Before the map's own handler, as long as the owner has no value.
            _owner!.Object.Freeing += _ => _found = PerformStorage(_owner.Object);
        }

        var needsKey = _cell.Op is not (SweepOp.Insert or SweepOp.InsertNoMemory or SweepOp.InsertBusy
            or SweepOp.DeleteMissing or SweepOp.Fill);
        if (needsKey || _cell.IsLru || _cell.IsOuter)
        {
            Install();
        }

        _cancelled = 0;
    }

    private void Install()
    {
        var key = Key(Present);
        Expect("set up", Errno.None, _values.UpdateElem(key, Ones.AsSpan(0, _values.UserValueSize)));
        for (var cpu = 0; cpu < (_cell.IsPercpu ? SweepCell.CpuCount : 1); cpu++)
        {
            var at = _values.ProgLookup(key, cpu);
            foreach (var field in _cell.Record().Fields)
            {
                _things.AddRange(SweepThing.Fill(_core, field, at + (ulong)field.OffsetBytes));
                if (field.Kind == BtfFieldKind.KptrUnref)
                {
                    *(ulong*)(at + (ulong)field.OffsetBytes) = at;
                }
            }
        }
    }

    private void TearDown()
    {
        if (_outer is { IsFreed: false })
        {
            _outer.Dispose();
        }

        if (!_map.IsFreed)
        {
            _map.Dispose();
        }

        _otherInner?.Dispose();
        _core.Quiesce();
        Expect("maps freed", true, _map.IsFreed && _values.IsFreed && _otherInner?.IsFreed != false);
        foreach (var thing in _things)
        {
            Expect("destructor runs in the end", 1, thing.DestructorRuns);
        }

        _owner?.End();
        _otherOwner?.End();
        _core.Quiesce();
        _wrong.AddRange(_core.TakeFaults().Select(f => f.ToString()!));
    }

    // Each reference is in exactly one place, and each slot of the pools too.
    private void ExpectConserved(string after)
    {
        foreach (var map in (BpfMap[])[_map, _values])
        {
            Expect($"census complete after {after}", true, map.IsFreed || map.TakeCensus().IsComplete);
        }

        var held = _values.IsFreed
            ? []
            : ((IReferenceSource)_values).HeldSlots().CountBy(s => s.ObjectAddress).ToDictionary();
        foreach (var thing in _things)
        {
            Expect($"places of a reference after {after}", 1,
                held.GetValueOrDefault(thing.Address) + (thing.IsReleased ? 1 : 0));
        }
    }

    private byte[] Key(int key) => BitConverter.GetBytes(
        key == Present && _owner is not null
            ? _owner.Key : key == Missing && _otherOwner is not null ? _otherOwner.Key : key);

    private void Expect<T>(string what, T expected, T actual)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, actual))
        {
            _wrong.Add($"{what}: expected {expected}, got {actual}");
        }
    }
}
