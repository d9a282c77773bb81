using Kptr.Verifier;

namespace Kptr.Cli.Check;

/// <summary>The tool's words for verdicts, the same in text and JSON.</summary>
internal static class VerdictWords
{
    public static string Of(Verdict verdict) => verdict switch
    {
        Verdict.Accept => "accept",
        Verdict.Reject => "reject",
        _ => "unsupported",
    };
}
