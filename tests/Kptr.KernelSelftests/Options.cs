namespace Kptr.KernelSelftests;

/// <summary>Command line options, shared by all modes.</summary>
public sealed class Options
{
    public const string Usage = """
        usage: Kptr.KernelSelftests open  --objects DIR [--expected TSV] [--not-opened TSV] [--objdump PROGRAM]
               Kptr.KernelSelftests btf   --objects DIR --kernel-btf FILE [--bpftool PROGRAM]
               Kptr.KernelSelftests link  --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--expected TSV]
               Kptr.KernelSelftests load  --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--ratchet FILE]
               Kptr.KernelSelftests judge --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--expected TSV] [--out TSV]
                     [--ownership FILE] [--ratchet FILE] [--details 1] [--jobs N] [--object NAME]... [--program NAME] [--log-level N] [--stop 1]
                     [--pruning off] [--seconds N] [--cpus N] [--profile NAME]
               Kptr.KernelSelftests unprivileged --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]...
               Kptr.KernelSelftests speed --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... --speed TSV [--runs N]
               Kptr.KernelSelftests run   --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--expected TSV] [--seconds N] [--seed N]
                     [--jobs N] [--object NAME]... [--program NAME] [--details TEXT]
               Kptr.KernelSelftests retval --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--ratchet FILE] [--engine NAME]
                     [--object NAME]... [--program NAME]
               Kptr.KernelSelftests enact --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--ratchet FILE] [--engine NAME]
                     [--object NAME]...
               Kptr.KernelSelftests same  --objects DIR --kernel-btf FILE [--module-btf NAME=FILE]... [--seconds N] [--seed N] [--jobs N] [--insns N]
               Kptr.KernelSelftests generate [--seconds N] [--seed N]
               Kptr.KernelSelftests generate --kernel-btf FILE (--to FILE | --answers FILE [--table FILE]) [--count N] [--seed N]
                     [--pointers N] [--details 1]
               Kptr.KernelSelftests lives --kernel-btf FILE (--to DIR | --answers FILE [--table FILE]) [--count N] [--seed N] [--only TEXT]
                     [--profile NAME]
               Kptr.KernelSelftests mutate --objects DIR --to DIR [--copies N] [--seed N] [--ownership FILE]
               Kptr.KernelSelftests mutate-btf --objects DIR --to DIR [--copies N] [--seed N]
               Kptr.KernelSelftests btf-cells --to FILE [--copies N] [--seed N]
        """;

    private readonly List<(string Name, string Value)> _given = [];

    /// <summary>The value of an option, or null.</summary>
    public string? this[string name] => _given.LastOrDefault(g => g.Name == name).Value;

    /// <summary>All values of an option that may be repeated.</summary>
    public IEnumerable<string> All(string name) => _given.Where(g => g.Name == name).Select(g => g.Value);

    /// <summary>Pairs of <c>--name value</c>; null where they are none.</summary>
    public static Options? Parse(ReadOnlySpan<string> args)
    {
        var options = new Options();
        for (var i = 0; i < args.Length; i += 2)
        {
            if (!args[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == args.Length)
            {
                return null;
            }

            options._given.Add((args[i][2..], args[i + 1]));
        }

        return options;
    }

    public static int Fail(string message)
    {
        Console.Error.WriteLine(message);
        Console.Error.WriteLine(Usage);
        return 2;
    }

    /// <summary>The objects to work on, sorted by name.</summary>
    public IEnumerable<string> Objects() =>
        Directory.GetFiles(this["objects"]!, "*.bpf.o").Order(StringComparer.Ordinal);

    /// <summary><c>atomics</c> for <c>DIR/atomics.bpf.o</c>.</summary>
    public static string NameOf(string path) => Path.GetFileName(path)[..^".bpf.o".Length];
}
