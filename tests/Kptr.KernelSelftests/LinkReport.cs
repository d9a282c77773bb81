using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Links every object against a kernel's types. With <c>--expected</c>, programs that cannot be linked
/// are held against those libbpf gave up on; with <c>--reference DIR</c>, linked instructions against
/// the files <c>DIR/OBJECT/PROGRAM.insns</c> of what libbpf would hand to the kernel (raw, with map
/// numbers for file descriptors).
/// </summary>
public static class LinkReport
{
    public static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        var expected = options["expected"] is { } table ? ExpectedTable.Read(table).ToLookup(r => r.Object) : null;
        int objects = 0, programs = 0, faults = 0, disagree = 0;
        var comparison = options["reference"] is { } dir ? new ReferenceComparison(dir) : null;
        foreach (var path in options.Objects())
        {
            if (ObjectReader.TryRead(path, new DiagSink()) is not { } read)
            {
                continue;
            }

            objects++;
            var name = Options.NameOf(path);
            var rows = expected?[name].ToDictionary(r => r.Program);
            foreach (var prog in SelftestObject.Link(path, read, rows, kernel))
            {
                programs++;
                faults += prog.LinkFault is null ? 0 : 1;
                var verdict = rows?.GetValueOrDefault(prog.Name)?["verdict"];
                if (verdict is not null && (verdict == "noload") != (prog.LinkFault is not null))
                {
                    disagree++;
                    Console.WriteLine(
                        $"{name}/{prog.Name}: {verdict} {rows![prog.Name]["error"]}; here: "
                            + $"{prog.LinkFault?.ToString() ?? "linked"}");
                }

                comparison?.Compare(name, read, prog);
            }
        }

        Console.WriteLine(
            $"linked {programs - faults}/{programs} programs of {objects} objects; disagreeing with libbpf {disagree}");
        comparison?.Print();
        return disagree + (comparison?.Differing ?? 0) == 0 ? 0 : 1;
    }
}

/// <summary>Compares linked instructions with libbpf's.</summary>
internal sealed class ReferenceComparison(string dir)
{
    private readonly HashSet<string> _withCoRe = [];
    private int _compared;
    private int _coRe;

    public int Differing { get; private set; }

    public void Compare(string name, ObjectSpec read, ProgSpec prog)
    {
        var file = Path.Combine(dir, name, prog.Name + ".insns");
        if (!File.Exists(file) || prog.LinkFault is not null)
        {
            return;
        }

        _compared++;
        var before = read.Progs.First(p => p.Name == prog.Name);
        _coRe += before.CoReRelocs.Length;
        if (before.CoReRelocs.Length > 0)
        {
            _withCoRe.Add(name);
        }

        var theirs = MemoryMarshal.Cast<byte, BpfInsn>(File.ReadAllBytes(file)).ToArray();
        var anyAddress = before.Relocs
            .Where(r => r.Kind == ProgRelocKind.TypelessKsym)
            .SelectMany(r => new[] { r.InsnIdx, r.InsnIdx + 1 })
            .ToHashSet();
        for (var i = 0; i < Math.Max(theirs.Length, prog.Insns.Length); i++)
        {
            if (i >= theirs.Length || i >= prog.Insns.Length
                || (theirs[i] != prog.Insns[i] && !anyAddress.Contains(i) && !IsDisowned(theirs[i], prog.Insns[i])))
            {
                Differing++;
                Console.WriteLine(
                    $"{name}/{prog.Name}: insn {i}: libbpf {At(theirs, i)}, here {At([.. prog.Insns], i)}");
                return;
            }
        }
    }

    /// <summary>
    /// A raw file descriptor in the object: libbpf passes it on for the kernel to refuse, Kptr makes it negative.
    /// </summary>
    private static bool IsDisowned(BpfInsn theirs, BpfInsn mine) =>
        mine.Imm < 0 && theirs == new BpfInsn(mine.Opcode, mine.Dst, mine.Src, mine.Off, ~mine.Imm);

    public void Print() => Console.WriteLine(
        $"instructions as libbpf's: compared {_compared} programs ({_withCoRe.Count} objects with {_coRe} CO-RE "
            + $"relocations), differing {Differing}");

    private static string At(BpfInsn[] insns, int at) => at < insns.Length ? insns[at].ToString() : "nothing";
}
