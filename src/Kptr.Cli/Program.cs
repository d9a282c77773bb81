using System.CommandLine;
using Kptr.Cli;
using Kptr.Cli.Check;
using Kptr.Cli.Inspect;
using Kptr.Cli.Plugin;

var root = new RootCommand("Checks, shows and runs BPF objects as Linux would, without a kernel.")
{
    CheckCommand.Create(),
    InspectCommand.Create(),
    PluginCommand.Create(),
};
return ExitCodes.OfParse(root.Parse(args));
