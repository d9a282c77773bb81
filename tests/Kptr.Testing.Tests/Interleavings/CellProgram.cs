namespace Kptr.Testing.Tests.Schedules;

/// <summary>
/// Small programs over three shared cells and two locks, run for real or one step after the other in every order.
/// </summary>
/// <remarks>
/// Two characters a step: <c>r0</c> reads cell 0 into the accumulator, <c>w0</c> writes what the accumulator and the
/// step make to cell 0, <c>a0</c> adds to it at once, <c>l0</c> takes lock 0, <c>t0</c> tries to and notes whether it
/// could, <c>u0</c> gives it back where it is held.
/// </remarks>
public sealed class CellProgram(string programs)
{
    private const int Cells = 3;
    private readonly string[] _programs = programs.Split('|');
    private readonly object[] _locks = [new(), new()];
    private readonly long[] _cells = new long[Cells];
    private readonly long[] _ends = new long[programs.Count(c => c == '|') + 1];

    public string Outcome => $"{string.Join(',', _cells)};{string.Join(',', _ends)}";

    public void Run(int thread)
    {
        var program = _programs[thread];
        var sum = 0L;
        var held = 0;
        for (var i = 0; i < program.Length; i += 2)
        {
            var at = program[i + 1] - '0';
            switch (program[i])
            {
                case 'r':
                    sum = (sum * 7) + _cells[at];
                    break;
                case 'w':
                    _cells[at] = Written(sum, thread, i);
                    break;
                case 'a':
                    Interlocked.Add(ref _cells[at], thread + 1);
                    break;
                case 'l':
                    Monitor.Enter(_locks[at]);
                    held |= 1 << at;
                    break;
                case 't' when Monitor.TryEnter(_locks[at]):
                    held |= 1 << at;
                    sum++;
                    break;
                case 'u' when (held & (1 << at)) != 0:
                    Monitor.Exit(_locks[at]);
                    held &= ~(1 << at);
                    break;
            }
        }

        _ends[thread] = sum;
    }

    /// <summary>Locks are taken in one order, once, and given back.</summary>
    public static string Make(Random random, int steps)
    {
        var text = "";
        var held = -1;
        for (var i = 0; i < steps; i++)
        {
            switch (random.Next(5))
            {
                case 0 when held < 0:
                    held = random.Next(2);
                    text += random.Next(3) == 0 ? $"t{held}" : $"l{held}";
                    break;
                case 1 when held >= 0:
                    text += $"u{held}";
                    held = -1;
                    break;
                case 2:
                    text += $"a{random.Next(Cells)}";
                    break;
                case 3:
                    text += $"r{random.Next(Cells)}";
                    break;
                default:
                    text += $"w{random.Next(Cells)}";
                    break;
            }
        }

        return held >= 0 ? $"{text}u{held}" : text;
    }

    /// <summary>What can come out, with at most so many turns away from a thread that could go on.</summary>
    public static HashSet<string> AllOutcomes(string[] programs, int preemptions)
    {
        var outcomes = new HashSet<string>();
        var start = new State(new long[Cells], new long[programs.Length], new int[programs.Length],
            new int[programs.Length], [-1, -1]);
        Visit(programs, start, running: -1, preemptions, outcomes, []);
        return outcomes;
    }

    private static void Visit(
        string[] programs, State state, int running, int left, HashSet<string> outcomes, HashSet<string> seen)
    {
        if (!seen.Add($"{state} {running} {left}"))
        {
            return;
        }

        var ready = Enumerable.Range(0, programs.Length).Where(t => state.CanRun(programs, t)).ToList();
        if (ready.Count == 0)
        {
            outcomes.Add($"{string.Join(',', state.Cells)};{string.Join(',', state.Sums)}");
        }

        foreach (var thread in ready)
        {
            var cost = thread != running && ready.Contains(running) ? 1 : 0;
            if (cost <= left)
            {
                Visit(programs, state.After(programs[thread], thread), thread, left - cost, outcomes, seen);
            }
        }
    }

    private static long Written(long sum, int thread, int step) => sum + (100 * (thread + 1)) + step;

    private sealed record State(long[] Cells, long[] Sums, int[] Steps, int[] Held, int[] Owners)
    {
        public bool CanRun(string[] programs, int thread)
        {
            var at = Steps[thread];
            return at < programs[thread].Length
                && (programs[thread][at] != 'l' || Owners[programs[thread][at + 1] - '0'] < 0);
        }

        public State After(string program, int thread)
        {
            var next = new State([.. Cells], [.. Sums], [.. Steps], [.. Held], [.. Owners]);
            var step = Steps[thread];
            var at = program[step + 1] - '0';
            next.Steps[thread] += 2;
            switch (program[step])
            {
                case 'r':
                    next.Sums[thread] = (Sums[thread] * 7) + Cells[at];
                    break;
                case 'w':
                    next.Cells[at] = Written(Sums[thread], thread, step);
                    break;
                case 'a':
                    next.Cells[at] += thread + 1;
                    break;
                case 'l':
                    (next.Owners[at], next.Held[thread]) = (thread, Held[thread] | (1 << at));
                    break;
                case 't' when Owners[at] < 0:
                    (next.Owners[at], next.Held[thread]) = (thread, Held[thread] | (1 << at));
                    next.Sums[thread]++;
                    break;
                case 'u' when (Held[thread] & (1 << at)) != 0:
                    (next.Owners[at], next.Held[thread]) = (-1, Held[thread] & ~(1 << at));
                    break;
            }

            return next;
        }

        public override string ToString() =>
            $"{string.Join(',', Cells)};{string.Join(',', Sums)};{string.Join(',', Steps)};{string.Join(',', Owners)}";
    }
}
