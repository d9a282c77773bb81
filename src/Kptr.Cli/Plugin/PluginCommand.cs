using System.CommandLine;
using System.Globalization;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;

namespace Kptr.Cli.Plugin;

/// <summary>
/// <c>kptr plugin [MEMORY] [--interpret | --jit]</c>: runs one raw program, as the public suite
/// bpf_conformance asks its plug-ins to.
/// </summary>
/// <remarks>
/// The program comes as hex bytes on standard input, the memory that <c>r1</c> points to (its length in <c>r2</c>) as
/// hex in the argument; <c>r0</c> goes to standard output as hex. White space between bytes does not count.
/// </remarks>
internal static class PluginCommand
{
    /// <summary>The suite calls one helper, number 5, which gives back its first argument.</summary>
    private static readonly Dictionary<int, RawHelper> Helpers = new() { [5] = (r1, _, _, _, _) => r1 };

    private static readonly Argument<string> Memory = new("MEMORY")
    {
        Description = "Initial memory, as hex bytes.",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = _ => "",
    };

    private static readonly Option<bool> Interpret = new("--interpret")
    {
        Description = "Run in the interpreter, which is the default.",
    };

    private static readonly Option<bool> Jit = new("--jit")
    {
        Description = "Compile the program and run it as native code.",
    };

    private static readonly Option<string?> Program = new("--program")
    {
        Description = "The program, as hex bytes, instead of standard input.",
        HelpName = "HEX",
    };

    public static Command Create()
    {
        var command = new Command("plugin", "Runs one raw program from standard input, for the bpf_conformance suite.")
        {
            Memory, Interpret, Jit, Program,
        };
        command.SetAction(parsed => Run(
            parsed.GetValue(Program) ?? Console.In.ReadToEnd(),
            parsed.GetValue(Memory) ?? "",
            parsed.GetValue(Jit) ? ExecEngine.Jit : ExecEngine.Interpreter));
        command.Validators.Add(parsed =>
        {
            if (parsed.GetValue(Jit) && parsed.GetValue(Interpret))
            {
                parsed.AddError("--interpret and --jit exclude each other");
            }
        });
        return command;
    }

    private static int Run(string program, string memory, ExecEngine engine)
    {
        if (TryParse(program) is not { } code || TryParse(memory) is not { } bytes)
        {
            Complaint.Say("program and memory are given as hex bytes");
            return ExitCodes.Unusable;
        }

        var sink = new DiagSink();
        if (!InsnCodec.TryDecode(code, sink, out var insns))
        {
            Complaint.Say(sink.All[0].ToString());
            return ExitCodes.Unusable;
        }

        using var interpreter = Interpreter.ForRaw(insns, Helpers);
        var result = interpreter.Run(bytes, new ExecOptions { Engine = engine });
        if (result.Fault is { } fault)
        {
            Complaint.Say(fault.ToString());
            return ExitCodes.Rejected;
        }

        Console.WriteLine(result.R0.ToString("x", CultureInfo.InvariantCulture));
        return ExitCodes.Ok;
    }

    private static byte[]? TryParse(string hex)
    {
        var digits = string.Concat(hex.Where(c => !char.IsWhiteSpace(c)));
        return digits.Length % 2 == 0 && digits.All(char.IsAsciiHexDigit) ? Convert.FromHexString(digits) : null;
    }
}
