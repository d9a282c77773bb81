using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.Cells;

/// <summary>Carries one cell out and compares, step by step.</summary>
internal sealed unsafe partial class CellRun : IDisposable
{
    /// <summary>Up to this capacity maps are filled.</summary>
    internal const uint FilledMax = 64;

    private const int Present = 1;
    private const int Missing = 3;
    private const int InCallback = 0;
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(1);
    private readonly Cell _cell;
    private readonly KernelModel _kernel;

    // The map that the cell is about; the one whose values have the fields; the one around it.
    private readonly BpfMap _map;
    private readonly BpfMap _values;
    private readonly MapShape _shape;
    private readonly BpfMap? _outer;
    private readonly BpfMap? _otherInner;
    private readonly CellOwner? _owner;
    private readonly CellOwner? _otherOwner;
    private readonly List<CellThing> _things = [];
    private readonly List<string> _log = [];
    private CellProgram? _holder;
    private BpfMap? _probe;
    private int _ringsBefore;
    private string? _wrong;

    private CellRun(Cell cell, KernelModel kernel, MapSpec spec)
    {
        _cell = cell;
        _kernel = kernel;
        if (cell.Map.IsOuter)
        {
            _map = cell.Map.Source.Make(kernel, spec);
            _outer = _map;
            _values = MapFactory.Create(kernel, spec.InnerMap!);
            _otherInner = MapFactory.Create(kernel, spec.InnerMap!);
        }
        else
        {
            _map = _values = cell.Map.Source.Make(kernel, spec);
            _outer = cell.Map.IsInner ? OuterOf(kernel, _map) : null;
        }

        _shape = new(_map, cell.Map.Can);
        if (cell.Map.IsStorage)
        {
            _owner = new(kernel, cell.Map.Type, Present);
            _otherOwner = new(kernel, cell.Map.Type, Missing);
        }
    }

    /// <summary>What the cell answered.</summary>
    internal Errno Answer { get; private set; }

    /// <summary>References that were given back by the operation and what it put off.</summary>
    internal int GivenBack { get; private set; }

    /// <summary>Carries it out.</summary>
    /// <returns>What differs from Linux; null for nothing.</returns>
    internal static CellResult Check(Cell cell, KernelModel kernel)
    {
        var spec = cell.Map.SpecOf(kernel, cell.Fields);
        if (cell.IsRefused())
        {
            return CheckRefusal(cell, kernel, spec);
        }

        DestructorBook.Of(kernel).Clear();
        CellThing.Restock(kernel);
        try
        {
            using var run = new CellRun(cell, kernel, spec);
            return run.Run();
        }
        catch (MapCreateException e)
        {
            return new(e.Errno, null, "the map is made", $"-{e.Errno}", []);
        }
    }

    /// <summary>A map of maps around a map.</summary>
    internal static BpfMap OuterOf(KernelCore kernel, BpfMap inner) => MapFactory.Create(kernel, new(
        "outer", inner.Type == BpfMapType.Array ? BpfMapType.ArrayOfMaps : BpfMapType.HashOfMaps)
    {
        KeySize = sizeof(int), ValueSize = sizeof(int), MaxEntries = 4, InnerMap = inner.Spec,
    });

    public void Dispose()
    {
        _kernel.Options.FaultPlan!.Clear();
        _holder?.Dispose();
        _map.Dispose();
        _values.Dispose();
        _outer?.Dispose();
        _otherInner?.Dispose();
        _probe?.Dispose();
        _owner?.End();
        _otherOwner?.End();
        _kernel.Quiesce();
    }

    private static CellResult CheckRefusal(Cell cell, KernelModel kernel, MapSpec spec)
    {
        const string expected = "the map is refused with -EOPNOTSUPP";
        try
        {
            using var map = cell.Map.Source.Make(kernel, spec);
            if (!cell.Map.IsOuter)
            {
                return new(Errno.None, null, expected, "it is made", []);
            }

            using var inner = MapFactory.Create(kernel, spec.InnerMap!);
            return new(Errno.None, null, expected, "it is made", []);
        }
        catch (MapCreateException e)
        {
            return e.Errno == Errno.EOPNOTSUPP
                ? new(e.Errno, null, null, null, [])
                : new(e.Errno, null, expected, $"-{e.Errno}", []);
        }
    }

    private CellResult Run()
    {
        var expected = "no exception";
        try
        {
            Play();
        }
        catch (CellBreach breach)
        {
            (expected, _wrong) = (breach.Expected, breach.Found);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            _wrong = $"{e.GetType().Name}: {e.Message}";
        }

        return new(Answer, GivenBack, expected, _wrong, _log);
    }

    private void Play()
    {
        SetUp();
        ExpectConserved();
        _log.Add($"{_cell}");
        Answer = Perform();
        _log[^1] += $" -> {(Answer == Errno.None ? "0" : $"-{Answer}")}";
        ExpectAnswer();
        ExpectConserved();
        _log.Add("let everything deferred run");
        _kernel.Quiesce();
        var places = ExpectConserved();
        var late = _things.Count(t => t.IsLate);
        GivenBack = _things.Where(t => !t.IsTakenOut).Sum(t => t.DestructorRuns(places));
        if (_cell.DestroyedBy() is { } destroyed)
        {
            // What the late writer took out of a value that waited, it gave back itself.
            var left = Math.Max(0, destroyed - _things.Count(t => t.IsTakenOut));
            Expect("references given back", left + (_cell.EndsLateWrite() ? late : 0), GivenBack);
        }

        GivenBack -= _cell.EndsLateWrite() ? late : 0;
        ExpectStopped();
        TearDown();
    }

    private void SetUp()
    {
        if (_cell.Context == CellContext.ExitingOwner)
        {
            // As the first to hear of it, as long as the owner has no value.
            WhenOwnerGoes();
        }

        var needsKey = _cell.Op is not (CellOp.Insert or CellOp.InsertNoMemory or CellOp.InsertBusy
            or CellOp.DeleteMissing or CellOp.Fill);
        if (needsKey || _cell.Map.IsEvicting || _cell.Map.IsOuter)
        {
            Install();
        }

        if (_outer is not null)
        {
            // Only the outer map holds the inner one from here on.
            _log.Add("put the map into an outer map, and give it up");
            Expect("put into the outer map", Errno.None,
                _outer.UpdateElem(KeyOf(_outer, Present), BitConverter.GetBytes(_values.Id)));
            _values.Dispose();
        }
    }

    private void Install()
    {
        var key = _cell.Map.IsOuter ? KeyOf(_values, Present) : Key(Present);
        _log.Add("update a key, and fill each field of its value");
        Expect("an update", Errno.None, _values.UpdateElem(key, Ones(_values.UserValueSize)));

        // Programs find values of local storage by their owner; what C# puts there stands in for memory of each CPU.
        using var program = CellProgram.Fills(_cell.Record) && _cell.IsKitStruct && !_cell.Map.IsStorage
            ? new CellProgram(_kernel, _values, key)
            : null;
        for (var cpu = 0; cpu < (_values.IsPerCpu ? Cell.CpuCount : 1); cpu++)
        {
            FillByProgram(program, cpu);
            using var reader = _kernel.Rcu.ReadLock();
            var at = _values.ProgLookup(key, cpu);
            foreach (var field in _cell.Record.Fields)
            {
                if (CellThing.CanMake(field) || (program is null && field.Kind == BtfFieldKind.KptrPercpu))
                {
                    _things.Add(CellThing.Exchange(
                        _kernel, field, at + (ulong)field.OffsetBytes, isLate: false, out _));
                }
                else if (field.Kind == BtfFieldKind.KptrUnref)
                {
                    *(ulong*)(at + (ulong)field.OffsetBytes) = at;
                }
            }
        }

        _ringsBefore = CellProgram.RingsIn(_kernel);
    }

    private void FillByProgram(CellProgram? program, int cpu)
    {
        if (program is null)
        {
            return;
        }

        var before = CellThing.PlacesIn(_kernel);
        program.Run(cpu);
        _things.AddRange(CellThing.PlacesIn(_kernel).Keys.Where(a => !before.ContainsKey(a))
            .Select(a => CellThing.OfProgram(_kernel, a)));
    }

    private void TearDown()
    {
        _log.Add("dispose of the map");
        _holder?.Dispose();
        _outer?.Dispose();
        _map.Dispose();
        _otherInner?.Dispose();
        _probe?.Dispose();
        _kernel.Quiesce();
        Expect("maps freed", true, _map.IsFreed && _values.IsFreed && _otherInner?.IsFreed != false);
        var places = TakePlaces();
        foreach (var thing in _things)
        {
            Expect("calls of a destructor in the end", thing.IsTakenOut ? 0 : 1, thing.DestructorRuns(places));
        }

        _owner?.End();
        _otherOwner?.End();
        _kernel.Quiesce();
        if (_kernel.TakeFaults() is { Count: > 0 } faults)
        {
            throw new CellBreach("the kernel reports no fault", faults[0].ToString());
        }
    }

    private void ExpectAnswer()
    {
        var isOpen = _cell is { Op: CellOp.InsertNoMemory, Map.Can.NoMemoryErrno: null };
        if (!isOpen)
        {
            var expected = _cell.ErrnoOf();
            Expect(expected == Errno.ENOTSUPP && Answer == Errno.None ? "the answer, as no capability claims it"
                : "the answer", expected, Answer);
        }
    }

    // What the operation stopped does not ring; everything else does.
    private void ExpectStopped()
    {
        if (_cell.CancelledBy() is not { } cancelled || _cell.AsyncPerValue == 0)
        {
            return;
        }

        _log.Add("let the time of timers come");
        _kernel.VirtualClock.Advance(Later);
        _kernel.Quiesce();
        var isSet = _cell.Op is not (CellOp.Insert or CellOp.InsertNoMemory or CellOp.InsertBusy
            or CellOp.DeleteMissing or CellOp.Fill) || _cell.Map.IsEvicting;
        Expect("timers and work that run", isSet ? _cell.AsyncPerValue - cancelled : 0,
            CellProgram.RingsIn(_kernel) - _ringsBefore);
    }

    // Each reference is in exactly one place, and each slot of the pools too.
    private Dictionary<ulong, int> ExpectConserved()
    {
        foreach (var map in _map == _values ? [_map] : (BpfMap[])[_map, _values])
        {
            Expect("slots accounted for", true, map.IsFreed || map.TakeCensus().IsComplete);
        }

        var places = TakePlaces();
        foreach (var thing in _things)
        {
            Expect("places of a reference", 1, thing.IsReleased(places) ? 1 : thing.PlacesOf(places));
        }

        return places;
    }

    private Dictionary<ulong, int> TakePlaces() => CellThing.PlacesOf(_kernel, _things);

    private byte[] Key(int number) => _owner is not null
        ? BitConverter.GetBytes(number == Present ? _owner.Key : number == Missing ? _otherOwner!.Key : number)
        : _shape.Key(number);

    private static byte[] KeyOf(BpfMap map, int number)
    {
        var key = new byte[map.KeySize];
        key[0] = (byte)number;
        return key;
    }

    private static byte[] Ones(int count)
    {
        var ones = new byte[count];
        Array.Fill(ones, (byte)0xff);
        return ones;
    }

    private static void Expect<T>(string what, T expected, T found)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, found))
        {
            throw new CellBreach($"{what}: {Text(expected)}", Text(found));
        }
    }

    private static string Text<T>(T value) => value is Errno err ? err == Errno.None ? "0" : $"-{err}" : $"{value}";
}
