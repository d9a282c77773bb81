namespace Kptr.Testing.Tests.Schedules;

/// <summary>
/// All that <see cref="CellProgram"/>s without locks can do where each thread has a store buffer: one step of a thread,
/// or one store that reaches memory, after the other.
/// </summary>
/// <param name="programs">The threads'.</param>
/// <param name="order">Which stores may leave a buffer: the oldest, or the oldest of each cell.</param>
internal sealed class WeakCells(string[] programs, MemoryOrder order)
{
    private readonly HashSet<string> _seen = [];
    private readonly HashSet<string> _outcomes = [];

    internal HashSet<string> Outcomes()
    {
        Visit([0, 0, 0], new long[programs.Length], new int[programs.Length],
            [.. programs.Select(_ => Array.Empty<(int, long)>())]);
        return _outcomes;
    }

    private void Visit(long[] cells, long[] sums, int[] steps, (int Cell, long Value)[][] buffers)
    {
        var outcome = $"{string.Join(',', cells)};{string.Join(',', sums)}";
        var waiting = string.Join('|', buffers.Select(b => string.Join(',', b)));
        if (!_seen.Add($"{outcome};{string.Join(',', steps)};{waiting}"))
        {
            return;
        }

        if (programs.Select((p, t) => steps[t] == p.Length && buffers[t].Length == 0).All(isOver => isOver))
        {
            _outcomes.Add(outcome);
        }

        for (var thread = 0; thread < programs.Length; thread++)
        {
            var buffer = buffers[thread];
            for (var i = 0; i < buffer.Length; i++)
            {
                if (i == 0 || (order == MemoryOrder.Arm && buffer[..i].All(e => e.Cell != buffer[i].Cell)))
                {
                    long[] written = [.. cells];
                    written[buffer[i].Cell] = buffer[i].Value;
                    Visit(written, sums, steps, With(buffers, thread, [.. buffer[..i], .. buffer[(i + 1)..]]));
                }
            }

            if (steps[thread] < programs[thread].Length)
            {
                Step(cells, sums, steps, buffers, thread);
            }
        }
    }

    private void Step(long[] cells, long[] sums, int[] steps, (int Cell, long Value)[][] buffers, int thread)
    {
        var step = steps[thread];
        var at = programs[thread][step + 1] - '0';
        var buffer = buffers[thread];
        int[] next = [.. steps];
        next[thread] += 2;
        switch (programs[thread][step])
        {
            case 'r':
                var own = Array.FindLastIndex(buffer, e => e.Cell == at);
                long[] read = [.. sums];
                read[thread] = (sums[thread] * 7) + (own < 0 ? cells[at] : buffer[own].Value);
                Visit(cells, read, next, buffers);
                break;
            case 'w':
                var value = CellProgram.Written(sums[thread], thread, step);
                Visit(cells, sums, next, With(buffers, thread, [.. buffer, (at, value)]));
                break;
            case 'a' when buffer.Length == 0:
                long[] added = [.. cells];
                added[at] += thread + 1;
                Visit(added, sums, next, buffers);
                break;
        }
    }

    private static (int Cell, long Value)[][] With(
        (int Cell, long Value)[][] buffers, int thread, (int Cell, long Value)[] buffer)
    {
        (int Cell, long Value)[][] changed = [.. buffers];
        changed[thread] = buffer;
        return changed;
    }
}
