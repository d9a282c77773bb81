using System.Globalization;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Writes copies of objects in each of which one word of one BTF type is changed: a name, a flag, a count, a
/// size, a type id, a member's place. A real kernel then says whether it takes the BTF, and what becomes of the
/// programs where it does not.
/// </summary>
/// <remarks>Deterministic: seed and object decide.</remarks>
public static class BtfMutator
{
    private const int ProgsMax = 8;

    /// <summary>Writes <c>--copies N</c> mutants of each object with few programs to <c>--to DIR</c>.</summary>
    public static int Run(Options options)
    {
        var copies = int.Parse(options["copies"] ?? "1", CultureInfo.InvariantCulture);
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        Directory.CreateDirectory(options["to"]!);
        var (objects, progs) = (0, 0);
        foreach (var path in options.Objects())
        {
            var name = Options.NameOf(path);
            if (ObjectReader.TryRead(path, new DiagSink()) is not { Btf: not null, Progs.Length: > 0
                and <= ProgsMax } read)
            {
                continue;
            }

            for (var copy = 0; copy < copies; copy++)
            {
                var bytes = File.ReadAllBytes(path);
                Mutate(bytes, read, new Random(Mutator.HashOf($"btf/{seed}/{copy}/{name}")));
                File.WriteAllBytes(Path.Combine(options["to"]!, $"{name}__b{seed}m{copy}.bpf.o"), bytes);
                objects++;
                progs += read.Progs.Length;
            }
        }

        Console.WriteLine($"{objects} objects, {progs} programs");
        return 0;
    }

    private static void Mutate(byte[] elf, ObjectSpec read, Random random)
    {
        var header = ElfSections.Named(elf, ".BTF");
        var section = elf.AsMemory(ElfSections.OffsetOf(elf, header), ElfSections.SizeOf(elf, header));
        BtfMutants.Change(section, BtfSpec.Read(section, read.Name), random);
    }
}
