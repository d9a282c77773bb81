using Kptr.Diagnostics;

namespace Kptr.Testing.Scripts;

// Batches: the same as single operations, up to the first that fails.
internal sealed partial class ScriptRun
{
    private string UpdateBatch(Step step)
    {
        var numbers = NumbersOf(step);
        byte[] keys = [.. numbers.SelectMany(_shape.Key)];
        byte[] values = [.. numbers.SelectMany((_, i) => _shape.Written(step.Value + (ulong)i))];
        var count = numbers.Length;
        var err = _map.UpdateBatch(keys, values, ref count);
        CheckGarbage(numbers);
        for (var i = 0; i < numbers.Length && i <= count; i++)
        {
            var single = new Step(StepKind.Update, numbers[i], step.Value + (ulong)i);
            CheckUpdateErrno(single, _model.Live.ContainsKey(numbers[i]), i < count ? Errno.None : err);
            if (i < count)
            {
                NoteWrite(numbers[i], single.Value, null);
                NoteEvictions(numbers[count - 1]);
            }
        }

        // Also the update that failed may have made room.
        NoteEvictions(count > 0 ? numbers[count - 1] : -1);
        CheckContents(err == Errno.None ? Rules.Contents : Rules.FailedMovesNothing);
        return $"{count} done, {Text(err)}";
    }

    private string DeleteBatch(Step step)
    {
        var numbers = NumbersOf(step);
        var count = numbers.Length;
        var err = _map.DeleteBatch([.. numbers.SelectMany(_shape.Key)], ref count);
        for (var i = 0; i < numbers.Length && i <= count; i++)
        {
            var expected = _model.Live.ContainsKey(numbers[i]) ? Errno.None : Errno.ENOENT;
            if (expected != (i < count ? Errno.None : err))
            {
                throw new BrokenRuleException(
                    Rules.Errnos, $"{Text(expected)} for key {numbers[i]}", i < count ? Text(Errno.None) : Text(err));
            }

            Remove(numbers[i]);
        }

        CheckContents(err == Errno.None ? Rules.Contents : Rules.FailedMovesNothing);
        return $"{count} done, {Text(err)}";
    }

    private string WalkBatch(Step step, bool deletes)
    {
        if (!_shape.IsFilled)
        {
            return "more keys than a script looks at";
        }

        var room = step.BatchRoom == 0 ? _shape.KeyCount : step.BatchRoom;
        var seen = new List<int>();
        var values = new List<byte[]>();
        byte[] cursor = [];
        Errno err;
        do
        {
            err = NextBatch(ref cursor, room, deletes, seen, values);

            // A bucket is not parted: it wants more room, as in Linux's hashes.
            room += err == Errno.ENOSPC ? 1 : 0;
        }
        while (err is Errno.None or Errno.ENOSPC && seen.Count <= _model.Live.Count && room <= _shape.KeyCount);

        if (err != Errno.ENOENT && seen.Count <= _model.Live.Count)
        {
            throw new BrokenRuleException(Rules.Iteration, "-ENOENT after the last key", Text(err));
        }

        CheckWalk(seen);
        var count = seen.Count;
        for (var i = 0; i < count; i++)
        {
            CheckShown(seen[i], values[i], _model.Live[seen[i]], Rules.Contents);
        }

        if (deletes)
        {
            seen.ForEach(Remove);
        }

        CheckContents(Rules.Contents);
        return $"{count} keys, {Text(err)}";
    }

    private Errno NextBatch(ref byte[] cursor, int room, bool deletes, List<int> seen, List<byte[]> values)
    {
        var (count, keys) = (room, new byte[room * _shape.KeySize]);
        var bytes = new byte[room * _shape.UserSize];
        var next = new byte[_map.BatchCursorSize];
        var err = deletes
            ? _map.LookupAndDeleteBatch(cursor, next, keys, bytes, ref count)
            : _map.LookupBatch(cursor, next, keys, bytes, ref count);
        for (var i = 0; err != Errno.ENOSPC && i < count; i++)
        {
            seen.Add(_shape.NumberOf(keys.AsSpan(i * _shape.KeySize, _shape.KeySize)));
            values.Add(bytes[(i * _shape.UserSize)..((i + 1) * _shape.UserSize)]);
        }

        cursor = err == Errno.ENOSPC ? cursor : next;
        return err;
    }

    // Side by side, and never more than there are.
    private int[] NumbersOf(Step step) =>
        [.. Enumerable.Range(step.Key, Step.BatchCount).Where(k => k < _shape.KeyCount)];
}
