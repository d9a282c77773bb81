using Kptr.Diagnostics;

namespace Kptr.Cli.Output;

/// <summary>What the tool says on standard error.</summary>
internal static class Complaint
{
    private const string Prefix = "kptr: ";

    public static void Say(string text) => Screen.OfErrors().Hanging(Prefix.Length, Prefix, text);

    public static void Say(IEnumerable<Diagnostic> faults)
    {
        foreach (var fault in faults)
        {
            Say(fault.ToString());
        }
    }
}
