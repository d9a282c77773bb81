using System.CommandLine;
using System.Text.Json;
using Kptr.Btf;
using Kptr.Cli.Output;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Cli.Inspect;

/// <summary><c>kptr inspect FILE...</c>: shows what is in an object.</summary>
internal static class InspectCommand
{
    private static readonly Argument<string[]> Files = new("FILE")
    {
        Description = "BPF objects (clang's ELF files), directories with them (*.o), or patterns.",
        Arity = ArgumentArity.OneOrMore,
    };
    private static readonly Option<bool> Disasm = new("--disasm")
    {
        Description = "List the instructions between their C lines.",
    };
    private static readonly Option<bool> AsC = new("--btf") { Description = "Print the object's types as C." };
    private static readonly Option<string?> Program =
        new("--program") { Description = "List only the program with this name.", HelpName = "NAME" };
    private static readonly Option<string> Format = MakeFormat();

    public static Command Create()
    {
        var command = new Command(
            "inspect", "Shows the programs and maps of each object, and what they want of the kernel.")
        {
            Files, Disasm, AsC, Program, Format, KernelOptions.KernelBtf, KernelOptions.ModuleBtf,
            KernelOptions.Profile,
        };
        InputFiles.RefuseOptions(Files, command);
        KernelOptions.RequireKernelForModules(command);
        command.SetAction(Run);
        return command;
    }

    private static Option<string> MakeFormat()
    {
        var option = new Option<string>("--format")
        {
            Description = "How objects are printed: text or json. Default: text.",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => "text",
        };
        option.AcceptOnlyFromAmong("text", "json");
        return option;
    }

    private static int Run(ParseResult parsed)
    {
        var exit = ExitCodes.Ok;
        try
        {
            var kernel = KernelOptions.Read(parsed);
            var files = InputFiles.Expand(parsed.GetValue(Files)!);
            var shown = files.Select((f, at) => TryShow(parsed, f, kernel, at, files.Count)).ToList();
            exit = shown.Contains(null) ? ExitCodes.Unusable : exit;
            if (parsed.GetValue(Program) is { } name && parsed.GetValue(Disasm)
                && shown.TrueForAll(s => s is null or 0))
            {
                Complaint.Say($"no program is named '{name}'");
                exit = ExitCodes.Unusable;
            }
        }
        catch (DiagnosticException e)
        {
            Complaint.Say(e.Diagnostics);
            exit = ExitCodes.Unusable;
        }

        return exit;
    }

    /// <returns>How many listings were asked for and found; null where the file cannot be read.</returns>
    private static int? TryShow(ParseResult parsed, InputFile file, KernelSpec kernel, int at, int count)
    {
        try
        {
            file.ThrowIfFault();
            var read = ObjectReader.Read(file.Path);
            var view = ObjectView.Of(file.Path, read, ObjectLinker.Link(read, kernel, new DiagSink()));
            var listings = parsed.GetValue(Disasm) ? Listings(parsed, read) : [];
            if (parsed.GetValue(Format) == "json")
            {
                PrintJson(parsed, read, view, listings, isOneOfMany: count > 1);
            }
            else
            {
                Console.Write(at > 0 ? Environment.NewLine : "");
                PrintText(parsed, read, view, listings, isOneOfMany: count > 1);
            }

            return listings.Length;
        }
        catch (DiagnosticException e)
        {
            Complaint.Say(e.Diagnostics); // the others are shown all the same
            return null;
        }
    }

    private static void PrintText(
        ParseResult parsed, ObjectSpec read, ObjectView view, (string, IEnumerable<string>)[] listings,
        bool isOneOfMany)
    {
        if (!parsed.GetValue(Disasm) && !parsed.GetValue(AsC))
        {
            new TextObjectWriter(Console.Out).Write(view);
            return;
        }

        if (isOneOfMany)
        {
            Console.WriteLine($"{view.Object}:");
        }

        if (parsed.GetValue(AsC))
        {
            Console.Write(read.Btf is null ? "" : BtfCPrinter.Print(read.Btf));
        }

        foreach (var line in listings.SelectMany(l => l.Item2.Append("")))
        {
            Console.WriteLine(line);
        }
    }

    private static (string Name, IEnumerable<string> Lines)[] Listings(ParseResult parsed, ObjectSpec read) =>
    [
        .. read.Progs.Where(p => parsed.GetValue(Program) is not { } only || p.Name == only)
            .Select(p => (p.Name, new Listing(p).Lines())),
    ];

    // One object is written to be read, of several each has a line.
    private static void PrintJson(
        ParseResult parsed, ObjectSpec read, ObjectView view, (string Name, IEnumerable<string> Lines)[] listings,
        bool isOneOfMany)
    {
        var document = new Dictionary<string, object?>
        {
            ["object"] = view.Object,
            ["license"] = view.License,
            ["programs"] = view.Programs,
            ["maps"] = view.Maps,
            ["externs"] = view.Externs,
        };
        if (parsed.GetValue(Disasm))
        {
            document["disasm"] = listings.ToDictionary(l => l.Name, l => l.Lines);
        }

        if (parsed.GetValue(AsC))
        {
            document["btf"] = read.Btf is null ? null : BtfCPrinter.Print(read.Btf);
        }

        var json = isOneOfMany ? InspectJson.Compact : InspectJson.Readable;
        Console.WriteLine(JsonSerializer.Serialize(document, json.Document));
    }
}
