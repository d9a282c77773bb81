using System.CommandLine;
using System.CommandLine.Invocation;
using Kptr.Cli.Output;

namespace Kptr.Cli.Help;

/// <summary><c>--help</c>, of whatever command it stands behind.</summary>
internal sealed class ShowHelp : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        HelpText.WriteAll(Screen.OfText(Console.Out), parseResult.CommandResult.Command);
        return ExitCodes.Ok;
    }
}
