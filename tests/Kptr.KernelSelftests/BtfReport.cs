using System.Diagnostics;
using System.Text.RegularExpressions;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;

namespace Kptr.KernelSelftests;

/// <summary>
/// Times opening a kernel's BTF against a whole run of <c>bpftool btf dump file F format raw</c>, and holds what C the
/// printer makes of each object's and the kernel's types against those types.
/// </summary>
public static partial class BtfReport
{
    private const int WarmRuns = 30;

    public static int Run(Options options)
    {
        var path = options["kernel-btf"]!;
        var cold = TimeOpen(path);
        var warm = Enumerable.Range(0, WarmRuns).Select(_ => TimeOpen(path)).Order().ElementAt(WarmRuns / 2);
        Console.WriteLine(
            $"open and find struct task_struct: first {cold.TotalMilliseconds:f1} ms, "
                + $"then {warm.TotalMilliseconds:f1} ms");
        if (options["bpftool"] is { } bpftool)
        {
            var whole = Enumerable.Range(0, 5).Select(_ => TimeBpftool(bpftool, path)).Order().ElementAt(2);
            Console.WriteLine(
                $"bpftool {whole.TotalMilliseconds:f1} ms; ratio first {cold / whole:f3}, then {warm / whole:f3}");
        }

        var differing = Compare("vmlinux", KernelBtfReader.Read(path).Vmlinux);
        var objects = 0;
        foreach (var file in options.Objects())
        {
            if (ObjectReader.TryRead(file, new DiagSink())?.Btf is { } btf)
            {
                objects++;
                differing += Compare(Options.NameOf(file), btf);
                var bytes = btf.ToBytes();
                if (!BtfSpec.Read(bytes, "again").ToBytes(bigEndian: true).AsSpan().SequenceEqual(
                    btf.ToBytes(bigEndian: true)))
                {
                    differing++;
                    Console.WriteLine($"{Options.NameOf(file)}: writing and reading differ");
                }
            }
        }

        Console.WriteLine($"objects {objects}; types that differ when their C is parsed back {differing}");
        return differing == 0 ? 0 : 1;
    }

    private static TimeSpan TimeOpen(string path)
    {
        var start = Stopwatch.GetTimestamp();
        var id = KernelBtfReader.Read(path).Vmlinux.FindId("task_struct", BtfKind.Struct);
        var time = Stopwatch.GetElapsedTime(start);
        return id > 0 ? time : throw new InvalidOperationException("this kernel has no tasks");
    }

    private static TimeSpan TimeBpftool(string bpftool, string path)
    {
        var start = Stopwatch.GetTimestamp();
        var info = new ProcessStartInfo(
            "/bin/sh", ["-c", $"exec \"{bpftool}\" btf dump file \"{path}\" format raw > /dev/null"]);
        using var run = Process.Start(info)!;
        run.WaitForExit();
        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>
    /// Counts the structs, unions and enums that come back otherwise. A name that two types share is left out.
    /// </summary>
    private static int Compare(string name, BtfSpec btf)
    {
        BtfSpec back;
        try
        {
            back = CDeclParser.Parse(BtfCPrinter.Print(btf), name);
        }
        catch (DiagnosticException e)
        {
            Console.WriteLine($"{name}: the printed C is not readable: {e.Message}");
            return 1;
        }

        var all = Enumerable.Range(1, btf.TypeCount - 1).Select(id => btf[id]).Where(t => t.Name.Length > 0).ToList();
        var shared = all.Where(t => t.IsComposite || t.Kind is BtfKind.Enum or BtfKind.Enum64 or BtfKind.Typedef)
            .GroupBy(t => (t.Name, t.Kind == BtfKind.Typedef))
            .Where(g => g.Skip(1).Any())
            .Select(g => g.Key.Name)
            .ToHashSet();
        var named = all.Where(t => t.IsComposite || t.Kind is BtfKind.Enum or BtfKind.Enum64);
        var differing = 0;
        foreach (var t in named.Where(t => !shared.Contains(t.Name)))
        {
            if (back.FindId(t.Name, t.Kind) is not (var id and > 0) || Spell(back[id], shared) != Spell(t, shared))
            {
                differing++;
                Console.WriteLine($"{name}: {t.Kind} {t.Name} comes back otherwise");
            }
        }

        return differing;
    }

    private static string Spell(BtfType t, HashSet<string> shared) => t.IsComposite
        ? $"{t.SizeBytes} " + string.Join("; ", Enumerable.Range(0, t.VLen).Select(t.Member).Select(m =>
            $"{m.Name}@{m.BitOffset}:{m.BitfieldSizeBits} {SpellMember(t.Btf[m.TypeId], shared)}"))
        : $"{t.SizeBytes} " + string.Join("; ", Enumerable.Range(0, t.VLen).Select(t.EnumValue));

    private static string SpellMember(BtfType t, HashSet<string> shared)
    {
        // Compilers spell integers differently: "unsigned long" and "long unsigned int" are one type.
        var text = IntegerWords().Replace(
            BtfCPrinter.Declare(t), m => string.Join(' ', m.Value.Split(' ').Where(w => w != "int").Order()));
        return shared.Any(s => text.Contains(s, StringComparison.Ordinal)) ? "" : text;
    }

    [GeneratedRegex(@"\b(?:unsigned|signed|long|short|int|char)(?: (?:unsigned|signed|long|short|int|char))*\b")]
    private static partial Regex IntegerWords();
}
