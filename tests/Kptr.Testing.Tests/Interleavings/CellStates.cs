namespace Kptr.Testing.Tests.Schedules;

/// <summary>All that <see cref="CellProgram"/>s can do, one step of one thread after the other.</summary>
/// <param name="programs">The threads', and the interrupt's where there is one.</param>
/// <param name="hasInterrupt">Whether the last is what an interrupt does, once at most, on top of any thread.</param>
internal sealed class CellStates(string[] programs, bool hasInterrupt)
{
    private readonly HashSet<string> _seen = [];
    private readonly HashSet<string> _outcomes = [];
    private readonly int _threads = programs.Length - (hasInterrupt ? 1 : 0);

    /// <summary>What can come out, with at most so many turns away from a thread that could go on.</summary>
    internal HashSet<string> Outcomes(int preemptions)
    {
        var none = new int[programs.Length];
        Visit(new(new long[3], new long[programs.Length], none, none, [-1, -1], -1, false, false), -1, preemptions);
        return _outcomes;
    }

    private void Visit(State state, int running, int left)
    {
        if (!_seen.Add($"{state} {running} {left}"))
        {
            return;
        }

        var ready = Enumerable.Range(0, _threads).Where(t => CanRun(state, t)).ToList();
        if (ready.Count == 0)
        {
            _outcomes.Add($"{string.Join(',', state.Cells)};{string.Join(',', state.Sums)}");
        }

        for (var thread = 0; thread < _threads; thread++)
        {
            var cost = thread != running && ready.Contains(running) ? 1 : 0;
            if (cost > left)
            {
                continue;
            }

            if (ready.Contains(thread))
            {
                Visit(After(state, thread), thread, left - cost);
                if (!state.HasFailed && StepOf(state, thread) == 'f')
                {
                    var failed = After(state, thread);
                    failed.Sums[state.Under == thread ? _threads : thread] += 50;
                    Visit(failed with { HasFailed = true }, thread, left - cost);
                }
            }

            if (hasInterrupt && !state.IsInterrupted && (ready.Contains(thread) || thread == running))
            {
                Visit(state with { IsInterrupted = true, Under = thread }, thread, left - cost);
            }
        }
    }

    private bool CanRun(State state, int thread)
    {
        var at = state.Steps[thread];
        return state.Under == thread || (at < programs[thread].Length
            && (programs[thread][at] != 'l' || state.Owners[programs[thread][at + 1] - '0'] < 0));
    }

    private char StepOf(State state, int thread)
    {
        var self = state.Under == thread ? _threads : thread;
        return state.Steps[self] < programs[self].Length ? programs[self][state.Steps[self]] : ' ';
    }

    private State After(State state, int thread)
    {
        var self = state.Under == thread ? _threads : thread;
        var step = state.Steps[self];
        if (step >= programs[self].Length)
        {
            return state with { Under = -1 };
        }

        var next = state with
        {
            Cells = [.. state.Cells], Sums = [.. state.Sums], Steps = [.. state.Steps], Held = [.. state.Held],
            Owners = [.. state.Owners],
        };
        var at = programs[self][step + 1] - '0';
        next.Steps[self] += 2;
        switch (programs[self][step])
        {
            case 'r':
                next.Sums[self] = (state.Sums[self] * 7) + state.Cells[at];
                break;
            case 'w':
                next.Cells[at] = CellProgram.Written(state.Sums[self], self, step);
                break;
            case 'a':
                next.Cells[at] += self + 1;
                break;
            case 'l':
                (next.Owners[at], next.Held[self]) = (self, state.Held[self] | (1 << at));
                break;
            case 't' when state.Owners[at] < 0:
                (next.Owners[at], next.Held[self]) = (self, state.Held[self] | (1 << at));
                next.Sums[self]++;
                break;
            case 'u' when (state.Held[self] & (1 << at)) != 0:
                (next.Owners[at], next.Held[self]) = (-1, state.Held[self] & ~(1 << at));
                break;
        }

        return next;
    }

    // Under is the thread that is under the interrupt; -1 for none.
    private sealed record State(
        long[] Cells, long[] Sums, int[] Steps, int[] Held, int[] Owners, int Under, bool IsInterrupted,
        bool HasFailed)
    {
        public override string ToString() =>
            $"{string.Join(',', Cells)};{string.Join(',', Sums)};{string.Join(',', Steps)};"
                + $"{string.Join(',', Owners)};{Under};{IsInterrupted};{HasFailed}";
    }
}
