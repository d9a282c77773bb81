using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing.Scripts;

namespace Kptr.Testing.Keyless;

/// <summary>Plays a script on a map without keys and on a plain list, and compares them after each step.</summary>
internal sealed class KeylessRun : IDisposable
{
    private const byte Dirt = 0x5a;
    private readonly KernelModel _kernel;
    private readonly MapCapabilities _can;
    private readonly BpfMap _map;
    private readonly MapShape _shape;
    private readonly LinkedList<ulong> _model = [];
    private readonly ScriptLog _log;

    internal KeylessRun(KernelModel kernel, Func<KernelCore, BpfMap> factory, MapCapabilities can, Watch watch)
    {
        _kernel = kernel;
        _can = can;
        _map = factory(kernel);
        _shape = new(_map, can);
        _log = new(watch, Rules.NoExceptions, () => [$"holds {_model.Count}"], CheckAll);
    }

    internal IReadOnlyList<string> Log => _log.Lines;

    /// <summary>Plays all of it, then frees the map.</summary>
    internal BrokenRuleException? Play(IReadOnlyList<KeylessStep> script) =>
        _log.Play<KeylessStep>(script, Play, ("end  dispose of the map", Free));

    public void Dispose()
    {
        _map.Dispose();
        _kernel.Quiesce();
    }

    private string Play(KeylessStep step) => step.Kind switch
    {
        KeylessKind.Push => Text(Push(step)),
        KeylessKind.Pop => Text(Get(step, removes: true)),
        KeylessKind.Peek => Text(Get(step, removes: false)),
        KeylessKind.Fill => Fill(step),
        KeylessKind.Drain => Drain(),
        KeylessKind.ByKey => ByKey(),
        _ => Quiesce(),
    };

    private Errno Push(KeylessStep step)
    {
        var bytes = _shape.WrittenOne(step.Value);
        var err = step.IsUser
            ? _map.UpdateElem([], bytes, step.Flags) : AsProgram(step, () => _map.ProgPush(bytes, step.Flags));
        var isFull = _model.Count >= _shape.Capacity;
        var expected = step.Flags is not (MapUpdateFlags.Any or MapUpdateFlags.Exist) ? Errno.EINVAL
            : isFull && step.Flags != MapUpdateFlags.Exist ? _can.FullErrno
            : Errno.None;
        Expect(Rules.Errnos, Text(expected), Text(err));
        if (err == Errno.None)
        {
            if (isFull)
            {
                _model.RemoveFirst();
            }

            _model.AddLast(step.Value);
        }

        return err;
    }

    private Errno Get(KeylessStep step, bool removes)
    {
        var bytes = new byte[_shape.ValueSize];
        Array.Fill(bytes, Dirt);
        var err = step.IsUser
            ? removes ? _map.LookupAndDeleteElem([], bytes) : _map.LookupElem([], bytes)
            : AsProgram(step, () => removes ? _map.ProgPop(bytes) : _map.ProgPeek(bytes));
        if (_model.Count == 0)
        {
            Expect(Rules.Errnos, Text(Errno.ENOENT), Text(err));
            if (!step.IsUser && bytes.AsSpan().ContainsAnyExcept((byte)0))
            {
                throw new BrokenRuleException(
                    Rules.Opaque, "a program's buffer is cleared where there is no value: the verifier lets it be read",
                    MapShape.Text(bytes));
            }

            return err;
        }

        Expect(Rules.Contents, $"0, as it holds {_model.Count} values", Text(err), err == Errno.None);
        CheckValue(bytes, (_can.IsLifo ? _model.Last : _model.First)!.Value);
        if (removes && _can.IsLifo)
        {
            _model.RemoveLast();
        }
        else if (removes)
        {
            _model.RemoveFirst();
        }

        return err;
    }

    private void CheckValue(byte[] bytes, ulong expected)
    {
        if (!_shape.IsOpaque(bytes))
        {
            throw new BrokenRuleException(Rules.Opaque, "special fields read as zero", MapShape.Text(bytes));
        }

        if (_shape.PlainEquals(bytes, expected))
        {
            return;
        }

        var isOther = _model.Any(v => _shape.PlainEquals(bytes, v));
        throw new BrokenRuleException(
            isOther ? Rules.Order : Rules.Contents, $"{MapShape.Text(_shape.Shown(expected))}, as value {expected} is "
                + (_can.IsLifo ? "the last that came" : "the first of those that are there"),
            MapShape.Text(bytes));
    }

    private string Fill(KeylessStep step)
    {
        for (var i = 0; i <= Math.Min(_shape.Capacity, MapShape.FilledMax); i++)
        {
            if (Push(step with { Value = step.Value + (ulong)i, Flags = MapUpdateFlags.Any }) != Errno.None)
            {
                break;
            }
        }

        return $"{_model.Count} values";
    }

    private string Drain()
    {
        var isUser = false;
        while (_model.Count > 0)
        {
            Get(new(KeylessKind.Pop, IsUser: isUser = !isUser), removes: true);
        }

        Get(new(KeylessKind.Pop), removes: true);
        return "empty";
    }

    private string ByKey()
    {
        Expect(Rules.Errnos, "nothing found", $"{_map.ProgLookup([], 0):x}", _map.ProgLookup([], 0) == 0);
        Expect(Rules.Errnos, Text(Errno.EINVAL), Text(_map.DeleteElem([])));
        var walk = _map.GetNextKey([], []);
        Expect(Rules.Errnos, "-EINVAL or -ENOTSUPP for a walk", Text(walk), walk is Errno.EINVAL or Errno.ENOTSUPP);
        return "refused";
    }

    private string Quiesce()
    {
        _kernel.Quiesce();
        return "quiet";
    }

    // What is there, in which order, and that every slot is accounted for; nothing is taken for it.
    private void CheckAll()
    {
        if (_map.IsFreed)
        {
            return;
        }

        if (!_map.TakeCensus().IsComplete)
        {
            throw new BrokenRuleException(Rules.Census, "the parts add up to the capacity", $"{_map.TakeCensus()}");
        }

        if (_kernel.Rcu.IsReader || _kernel.RcuTrace.IsReader)
        {
            throw new BrokenRuleException(Rules.Ends, "the operation leaves its caller as it was", "a reader is open");
        }

        var bytes = new byte[_shape.ValueSize];
        var err = _map.ProgPeek(bytes);
        if (_model.Count == 0 != (err == Errno.ENOENT))
        {
            throw new BrokenRuleException(
                Rules.FailedMovesNothing, $"it holds {_model.Count} values", $"a peek answers {Text(err)}");
        }

        if (_model.Count > 0)
        {
            CheckValue(bytes, (_can.IsLifo ? _model.Last : _model.First)!.Value);
        }
    }

    private string Free()
    {
        _map.Dispose();
        _kernel.Quiesce();
        if (!_map.IsFreed)
        {
            throw new BrokenRuleException(Rules.DestroyAtMapFree, "the map is freed", $"it is not: {_map}");
        }

        if (_kernel.TakeFaults() is { Count: > 0 } faults)
        {
            throw new BrokenRuleException(Rules.DestroyAtMapFree, "the kernel reports no fault", faults[0].ToString());
        }

        return "freed";
    }

    private Errno AsProgram(KeylessStep step, Func<Errno> call)
    {
        using var reader = _kernel.Rcu.ReadLock();
        using var context = _kernel.EnterContext(step.Context);
        return call();
    }

    private static void Expect(ConformanceCheck rule, string expected, string found, bool? isRight = null)
    {
        if (!(isRight ?? expected == found))
        {
            throw new BrokenRuleException(rule, expected, found);
        }
    }

    private static string Text(Errno err) => err == Errno.None ? "0" : $"-{err}";
}
