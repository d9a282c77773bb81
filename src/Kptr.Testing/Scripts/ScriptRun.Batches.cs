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

    private string WalkBatch(bool deletes)
    {
        if (!_shape.IsFilled)
        {
            return "more keys than a script looks at";
        }

        var count = _shape.KeyCount;
        var keys = new byte[count * _shape.KeySize];
        var values = new byte[count * _shape.UserSize];
        var cursor = new byte[_map.BatchCursorSize];
        var err = deletes
            ? _map.LookupAndDeleteBatch(default, cursor, keys, values, ref count)
            : _map.LookupBatch(default, cursor, keys, values, ref count);
        if (err != Errno.ENOENT)
        {
            throw new BrokenRuleException(Rules.Iteration, "-ENOENT, as all keys have room in the batch", Text(err));
        }

        var seen = Enumerable.Range(0, count)
            .Select(i => _shape.NumberOf(keys.AsSpan(i * _shape.KeySize, _shape.KeySize))).ToList();
        CheckWalk(seen);
        for (var i = 0; i < count; i++)
        {
            CheckShown(
                seen[i], values.AsSpan(i * _shape.UserSize, _shape.UserSize), _model.Live[seen[i]], Rules.Contents);
        }

        if (deletes)
        {
            seen.ForEach(Remove);
        }

        CheckContents(Rules.Contents);
        return $"{count} keys, {Text(err)}";
    }

    // Side by side, and never more than there are.
    private int[] NumbersOf(Step step) =>
        [.. Enumerable.Range(step.Key, Step.BatchCount).Where(k => k < _shape.KeyCount)];
}
