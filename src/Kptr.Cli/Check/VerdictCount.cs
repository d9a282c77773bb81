using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>How many programs got which verdict, and how many files could not be judged.</summary>
internal sealed class VerdictCount
{
    private readonly int[] _programs = new int[Enum.GetValues<Verdict>().Length];

    public int Programs => _programs.Sum();

    /// <summary>Files with a verdict.</summary>
    public int Files { get; private set; }

    public int Unreadable { get; private set; }

    /// <summary>One of <see cref="ExitCodes"/>.</summary>
    public int ExitCode => Unreadable > 0 ? ExitCodes.Unusable
        : _programs[(int)Verdict.Accept] == Programs ? ExitCodes.Ok : ExitCodes.Rejected;

    /// <summary>The worst that any kernel asked says.</summary>
    public static Verdict Worst(ProgVerdicts verdicts) => verdicts.Kernels.Max(k => Rank(k.Said.Verdict)) switch
    {
        0 => Verdict.Accept,
        1 => Verdict.Unsupported,
        _ => Verdict.Reject,
    };

    public void Add(ProgVerdicts verdicts) => _programs[(int)Worst(verdicts)]++;

    public void AddFile(bool isReadable)
    {
        Files += isReadable ? 1 : 0;
        Unreadable += isReadable ? 0 : 1;
    }

    /// <summary>One line.</summary>
    public override string ToString()
    {
        var verdicts = Enum.GetValues<Verdict>().Where(v => _programs[(int)v] > 0)
            .Select(v => $"{_programs[(int)v]} {VerdictWords.Participle(v)}");
        return $"{Programs} {(Programs == 1 ? "program" : "programs")} in {Files} {(Files == 1 ? "object" : "objects")}"
            + $": {(Programs == 0 ? "nothing to judge" : string.Join(", ", verdicts))}"
            + (Unreadable > 0 ? $"; {Unreadable} {(Unreadable == 1 ? "file" : "files")} not readable" : "");
    }

    private static int Rank(Verdict verdict) => verdict switch
    {
        Verdict.Accept => 0,
        Verdict.Unsupported => 1,
        _ => 2,
    };
}
