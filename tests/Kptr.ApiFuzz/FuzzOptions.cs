using System.Globalization;

namespace Kptr.ApiFuzz;

/// <summary>How to fuzz.</summary>
internal sealed record FuzzOptions
{
    internal const string Usage = """
        Kptr.ApiFuzz [--seconds N] [--minutes N] [--seed N] [--threads N] [--calls N] [--children N]
              [--only TEXT] [--verbose]
          --seconds, --minutes  how long (10 s)
          --seed                the first child's; each child has the next (any)
          --threads             of each child (3); one thread repeats a seed exactly
          --calls               of each thread of a child (3000)
          --children            how many at the most (any number)
          --only                members whose name has this text
          --verbose             also say what is not reached
        """;

    internal TimeSpan Time { get; init; } = TimeSpan.FromSeconds(10);

    internal int Seed { get; init; } = Environment.TickCount & 0xffffff;

    internal int Threads { get; init; } = 3;

    internal int Calls { get; init; } = 3000;

    internal int Children { get; init; } = int.MaxValue;

    internal string? Only { get; init; }

    internal bool IsVerbose { get; init; }

    /// <summary>Of a child: where it writes what it calls.</summary>
    internal string? ChildJournal { get; init; }

    internal static FuzzOptions? Parse(string[] args)
    {
        var options = new FuzzOptions();
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] == "--verbose")
            {
                options = options with { IsVerbose = true };
                continue;
            }

            if (i + 1 >= args.Length || With(options, args[i], args[++i]) is not { } next)
            {
                return null;
            }

            options = next;
        }

        return options;
    }

    private static FuzzOptions? With(FuzzOptions options, string name, string value)
    {
        if (name is "--only" or "--child")
        {
            return name == "--only" ? options with { Only = value } : options with { ChildJournal = value };
        }

        if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        return name switch
        {
            "--seconds" => options with { Time = TimeSpan.FromSeconds(number) },
            "--minutes" => options with { Time = TimeSpan.FromMinutes(number) },
            "--seed" => options with { Seed = number },
            "--threads" => options with { Threads = Math.Clamp(number, 1, Journal.ThreadsMax) },
            "--calls" => options with { Calls = number },
            "--children" => options with { Children = number },
            _ => null,
        };
    }
}
