using System.CommandLine;

namespace Kptr.Cli;

/// <summary>What the tool's exit codes mean.</summary>
internal static class ExitCodes
{
    /// <summary>All programs accepted, or the command did what was asked.</summary>
    public const int Ok = 0;

    /// <summary>Some program was rejected, or is not supported.</summary>
    public const int Rejected = 1;

    /// <summary>Bad usage, or input that cannot be read.</summary>
    public const int Unusable = 2;

    /// <summary>Runs a parsed command line; what the parser refuses is <see cref="Unusable"/>.</summary>
    public static int OfParse(ParseResult parsed)
    {
        if (parsed.Errors.Count == 0)
        {
            return parsed.Invoke(new() { EnableDefaultExceptionHandler = false });
        }

        foreach (var error in parsed.Errors)
        {
            Console.Error.WriteLine($"kptr: {error.Message}");
        }

        return Unusable;
    }
}
