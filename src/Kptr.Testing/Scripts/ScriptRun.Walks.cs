using Kptr.Diagnostics;

namespace Kptr.Testing.Scripts;

// Walks by key and visits by callback: what they see, and what they do to what they see.
internal sealed unsafe partial class ScriptRun
{
    private string Iterate(Step step)
    {
        var seen = new List<int>();
        var key = Array.Empty<byte>();
        var next = new byte[_shape.KeySize];
        var isOtherBegun = step.Value % 2 == 0;
        Errno err;
        while ((err = _map.GetNextKey(key, next)) == Errno.None && seen.Count <= _model.Live.Count)
        {
            seen.Add(_shape.NumberOf(next));
            key = [.. next];
            if (isOtherBegun)
            {
                // Somebody else begins a walk meanwhile.
                _map.GetNextKey([], new byte[_shape.KeySize]);
            }
        }

        CheckWalk(seen);
        if (err != Errno.ENOENT)
        {
            throw new BrokenRuleException(Rules.Iteration, "ENOENT after the last key", Text(err));
        }

        if (_shape.IsTrie)
        {
            CheckOrder(seen);
        }

        if (seen.Count > 0)
        {
            err = _map.GetNextKey(_shape.Key(_shape.KeyCount), next);
            if (err != Errno.None || _shape.NumberOf(next) != seen[0])
            {
                throw new BrokenRuleException(
                    Rules.Iteration, $"a walk from a key that is not there starts over at key {seen[0]}",
                    err == Errno.None ? $"key {_shape.NumberOf(next)}" : Text(err));
            }
        }

        return $"{seen.Count} keys";
    }

    // What is behind the walk goes; what is before it must still be seen, each once.
    private string WalkDelete()
    {
        var all = _model.Live.Keys.ToList();
        var seen = new List<int>();
        var key = Array.Empty<byte>();
        var next = new byte[_shape.KeySize];
        while (_map.GetNextKey(key, next) == Errno.None && seen.Count <= all.Count)
        {
            if (seen.Count > 0)
            {
                Delete(new(StepKind.Delete, seen[^1]));
            }

            seen.Add(_shape.NumberOf(next));
            key = [.. next];
        }

        if (_shape.IsFilled && !seen.Order().SequenceEqual(all))
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"keys {string.Join(", ", all)}, each once, though those that were passed are deleted",
                string.Join(", ", seen));
        }

        return $"{seen.Count} keys";
    }

    private string VisitStop(Step step)
    {
        var seen = 0;
        long visited;
        using (_kernel.Rcu.ReadLock())
        {
            visited = _map.ForEachElem((_, _) => seen++ == step.StopAt ? 1UL : 0, 0, step.Cpu);
        }

        var expected = Math.Min(step.StopAt + 1, IsIndexed ? _shape.Capacity : _model.Live.Count);
        if (seen != expected || visited != seen)
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"a visit ends where its callback says so: {expected} are seen, and so it answers",
                $"{seen} seen, {visited} answered");
        }

        return $"{visited} visited";
    }

    private string Visit(Step step, bool deletes)
    {
        var seen = new List<int>();
        string? wrong = null;
        ulong Callback(ulong key, ulong value)
        {
            var number = _shape.NumberOf(new ReadOnlySpan<byte>((void*)key, _shape.KeySize));
            seen.Add(number);
            var bytes = new ReadOnlySpan<byte>((void*)value, _shape.ValueSize);
            if (!_model.Live.TryGetValue(number, out var entry)
                || !_shape.PlainEquals(bytes, entry.Values[_shape.PlaceOf(step.Cpu)]))
            {
                wrong ??= $"the value of key {number} as {ShownAt(value)}";
            }

            if (deletes && _map.ProgDelete(_shape.Key(number), step.Cpu) is var err and not Errno.None)
            {
                wrong ??= $"the delete of key {number}, which is visited, answers {Text(err)}";
            }
            else if (deletes && _model.Live.ContainsKey(number))
            {
                Remove(number);
                if (_map.ProgLookup(_shape.Key(number), step.Cpu) != 0)
                {
                    wrong ??= $"key {number} is still found when its delete has answered 0";
                }
            }

            return 0;
        }

        var all = _model.Live.Keys.ToList();
        long visited;
        using (_kernel.Rcu.ReadLock())
        {
            visited = _map.ForEachElem(Callback, 0, step.Cpu);
        }

        if (wrong is not null)
        {
            throw new BrokenRuleException(Rules.Iteration, "each element with its value", wrong);
        }

        if (visited != seen.Count)
        {
            throw new BrokenRuleException(Rules.Iteration, $"{seen.Count} visited", $"{visited}");
        }

        if (!deletes)
        {
            CheckWalk(seen);
        }
        else if (_shape.IsFilled && !seen.Order().SequenceEqual(all))
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"keys {string.Join(", ", all)}, each once", string.Join(", ", seen));
        }

        CheckContents(Rules.Contents);
        return $"{visited} visited";
    }

    // Of prefixes the longer come before those that contain them, as in Linux's tries.
    private void CheckOrder(List<int> seen)
    {
        for (var i = 0; i < seen.Count; i++)
        {
            if (seen[..i].FirstOrDefault(k => Prefixes.Contains(_shape.Key(k), _shape.Key(seen[i])), -1) is var first
                and >= 0)
            {
                throw new BrokenRuleException(
                    Rules.Iteration, $"prefix {seen[i]} comes before {first}, which contains it",
                    string.Join(", ", seen));
            }
        }
    }

    private void CheckWalk(List<int> seen)
    {
        if (!_shape.IsFilled && IsIndexed)
        {
            return;
        }

        if (!seen.Order().SequenceEqual(_model.Live.Keys))
        {
            throw new BrokenRuleException(
                Rules.Iteration, $"keys {string.Join(", ", _model.Live.Keys)}", string.Join(", ", seen));
        }
    }
}
