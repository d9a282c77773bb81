using System.CommandLine;
using System.Text.Json;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.Cli.Inspect;

/// <summary><c>kptr inspect FILE</c>: shows what is in an object.</summary>
internal static class InspectCommand
{
    private static readonly Argument<string> File = new("FILE") { Description = "A BPF object (clang's ELF file)." };
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
        var command = new Command("inspect", "Shows an object's programs, maps and what they want of the kernel.")
        {
            File, Disasm, AsC, Program, Format, KernelOptions.KernelBtf, KernelOptions.ModuleBtf, KernelOptions.Profile,
        };
        KernelOptions.RequireKernelForModules(command);
        command.SetAction(Run);
        return command;
    }

    private static Option<string> MakeFormat()
    {
        var option = new Option<string>("--format")
        {
            Description = "How the object is printed.",
            DefaultValueFactory = _ => "text",
        };
        option.AcceptOnlyFromAmong("text", "json");
        return option;
    }

    private static int Run(ParseResult parsed)
    {
        try
        {
            var file = parsed.GetValue(File)!;
            var read = ObjectReader.Read(file);
            var linked = ObjectLinker.Link(read, KernelOptions.Read(parsed), new DiagSink());
            var view = ObjectView.Of(file, read, linked);
            return parsed.GetValue(Format) == "json" ? PrintJson(parsed, read, view) : PrintText(parsed, read, view);
        }
        catch (DiagnosticException e)
        {
            foreach (var d in e.Diagnostics)
            {
                Console.Error.WriteLine($"kptr: {d}");
            }

            return ExitCodes.Unusable;
        }
    }

    private static int PrintText(ParseResult parsed, ObjectSpec read, ObjectView view)
    {
        if (!parsed.GetValue(Disasm) && !parsed.GetValue(AsC))
        {
            new TextObjectWriter(Console.Out).Write(view);
            return ExitCodes.Ok;
        }

        if (parsed.GetValue(AsC))
        {
            Console.Write(read.Btf is null ? "" : BtfCPrinter.Print(read.Btf));
        }

        return !parsed.GetValue(Disasm) || PrintListings(parsed, read) ? ExitCodes.Ok : ExitCodes.Unusable;
    }

    private static bool PrintListings(ParseResult parsed, ObjectSpec read)
    {
        var listings = Listings(parsed, read);
        foreach (var line in listings.SelectMany(l => l.Lines.Append("")))
        {
            Console.WriteLine(line);
        }

        if (listings.Length == 0)
        {
            Console.Error.WriteLine($"kptr: no program '{parsed.GetValue(Program)}' in {parsed.GetValue(File)}");
        }

        return listings.Length > 0;
    }

    private static (string Name, IEnumerable<string> Lines)[] Listings(ParseResult parsed, ObjectSpec read) =>
    [
        .. read.Progs.Where(p => parsed.GetValue(Program) is not { } only || p.Name == only)
            .Select(p => (p.Name, new Listing(p).Lines())),
    ];

    private static int PrintJson(ParseResult parsed, ObjectSpec read, ObjectView view)
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
            document["disasm"] = Listings(parsed, read).ToDictionary(l => l.Name, l => l.Lines);
        }

        if (parsed.GetValue(AsC))
        {
            document["btf"] = read.Btf is null ? null : BtfCPrinter.Print(read.Btf);
        }

        Console.WriteLine(JsonSerializer.Serialize(document, InspectJson.Readable.Document));
        return ExitCodes.Ok;
    }
}
