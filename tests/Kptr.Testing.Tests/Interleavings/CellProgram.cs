namespace Kptr.Testing.Tests.Schedules;

/// <summary>
/// Small programs over three shared cells and two locks, run for real or one step after the other in every order.
/// </summary>
/// <remarks>
/// Two characters a step: <c>r0</c> reads cell 0 into the accumulator, <c>w0</c> writes what the accumulator and the
/// step make to cell 0, <c>a0</c> adds to it at once, <c>l0</c> takes lock 0, <c>t0</c> tries to and notes whether it
/// could, <c>u0</c> gives it back where it is held, <c>f0</c> notes whether it is to fail.
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
                case 'f' when Interleavings.Fault():
                    sum += 50;
                    break;
                case 'u' when (held & (1 << at)) != 0:
                    Monitor.Exit(_locks[at]);
                    held &= ~(1 << at);
                    break;
            }
        }

        _ends[thread] = sum;
    }

    /// <summary>Locks are taken one at a time and given back; an interrupt waits for none.</summary>
    public static string Make(Random random, int steps, bool isInterrupt = false)
    {
        var text = "";
        var held = -1;
        for (var i = 0; i < steps; i++)
        {
            switch (random.Next(6))
            {
                case 0 when held < 0:
                    held = random.Next(2);
                    text += isInterrupt || random.Next(3) == 0 ? $"t{held}" : $"l{held}";
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
                case 4:
                    text += "f0";
                    break;
                default:
                    text += $"w{random.Next(Cells)}";
                    break;
            }
        }

        return held >= 0 ? $"{text}u{held}" : text;
    }

    internal static long Written(long sum, int thread, int step) => sum + (100 * (thread + 1)) + step;
}
