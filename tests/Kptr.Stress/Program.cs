using System.Globalization;
using Kptr.Stress;

// Kptr.Stress [--seconds N] [--seed N] [--only TEXT] [--calm]: every map kind, ledger level and destroy policy, with
// everybody at once. Kptr.Stress stacks PID: the managed stacks of a process that hangs.
if (args is ["stacks", var pid])
{
    Stacks.Print(int.Parse(pid, CultureInfo.InvariantCulture), Console.Out);
    return 0;
}

var seconds = double.Parse(Option("--seconds") ?? "20", CultureInfo.InvariantCulture);
var seed = int.Parse(Option("--seed") ?? "1", CultureInfo.InvariantCulture);
return new StressRun(seed, Option("--only")
    ?? "", !args.Contains("--calm"), Console.Out).Run(TimeSpan.FromSeconds(seconds)) ? 0 : 1;

string? Option(string name) =>
    Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
