using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>The tool's words for verdicts, the same in text and JSON.</summary>
internal static class VerdictWords
{
    public static string[] Participles { get; } = [.. Enum.GetValues<Verdict>().Select(Participle)];

    public static string Of(Verdict verdict) => verdict switch
    {
        Verdict.Accept => "accept",
        Verdict.Reject => "reject",
        _ => "unsupported",
    };

    public static string Of(StoryStepKind kind) => kind switch
    {
        StoryStepKind.Acquired => "acquired",
        StoryStepKind.Moved => "moved",
        StoryStepKind.Lost => "lost",
        StoryStepKind.Origin => "origin",
        StoryStepKind.Branch => "branch",
        StoryStepKind.Call => "call",
        StoryStepKind.Released => "released",
        _ => "fault",
    };

    public static string Participle(Verdict verdict) => verdict switch
    {
        Verdict.Accept => "accepted",
        Verdict.Reject => "rejected",
        _ => "unsupported",
    };
}
