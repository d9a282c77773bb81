using System.CommandLine;
using Kptr.Cli;

var root = new RootCommand("Checks, shows and runs BPF objects as Linux would, without a kernel.");
return ExitCodes.OfParse(root.Parse(args));
