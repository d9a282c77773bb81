using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Opens every object and compares programs, sections, types and instructions with what others read in them.
/// </summary>
public static class OpenReport
{
    public static int Run(Options options)
    {
        var refused = options["not-opened"] is { } list
            ? File.ReadLines(list).Select(l => l.Split('\t')[0]).ToHashSet()
            : null;
        var expected = options["expected"] is { } table ? ExpectedTable.Read(table).ToLookup(r => r.Object) : null;
        int opened = 0, total = 0, refusedBoth = 0, wrong = 0, programs = 0, differing = 0, insnsDiffering = 0;
        foreach (var path in options.Objects())
        {
            total++;
            var name = Options.NameOf(path);
            var sink = new DiagSink();
            var spec = ObjectReader.TryRead(path, sink);
            var isRefused = refused?.Contains(name) ?? false;
            if (spec is null)
            {
                refusedBoth += isRefused ? 1 : 0;
                wrong += isRefused || refused is null ? 0 : 1;
                Console.WriteLine($"not opened{(isRefused ? ", as by libbpf" : "")}: {sink.All[0]}");
                continue;
            }

            opened++;
            if (isRefused)
            {
                wrong++;
                Console.WriteLine($"opened, though libbpf refuses: {name}");
            }

            programs += spec.Progs.Length;
            differing += expected is null ? 0 : Compare(name, spec, [.. expected[name]]);
            insnsDiffering += options["objdump"] is { } objdump ? ObjdumpComparison.Compare(objdump, path, spec) : 0;
        }

        Console.WriteLine(
            $"opened {opened}/{total}; refused as by libbpf {refusedBoth}; wrongly opened or refused {wrong}");
        Console.WriteLine($"programs {programs}; section or type differing {differing}/{programs}");
        if (options["objdump"] is not null)
        {
            Console.WriteLine($"instructions differing from objdump's {insnsDiffering}/{programs}");
        }

        return wrong + differing + insnsDiffering == 0 ? 0 : 1;
    }

    private static int Compare(string name, ObjectSpec spec, ExpectedRow[] rows)
    {
        var differing = 0;
        foreach (var row in rows)
        {
            // The judge gave programs of unknown sections a type of its own choice.
            var isGuessed = row["note"].Contains("type guessed", StringComparison.Ordinal);
            var prog = spec.Progs.FirstOrDefault(p => p.Name == row.Program);
            if (prog is null || prog.SectionName != row["section"]
                || (KernelNames.Of(prog.Type) != row["type"] && !isGuessed))
            {
                differing++;
                Console.WriteLine(
                    $"{name}/{row.Program}: expected {row["section"]} {row["type"]}, "
                        + $"got {prog?.SectionName ?? "no program"} {prog?.Type}");
            }
        }

        foreach (var prog in spec.Progs.Where(p => rows.Length > 0 && rows.All(r => r.Program != p.Name)))
        {
            differing++;
            Console.WriteLine($"{name}/{prog.Name}: not in the expected table");
        }

        return differing;
    }
}
