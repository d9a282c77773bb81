using System.Globalization;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Writes copies of objects in which every program has one small fault: a call left out, a check inverted, an argument
/// swapped, a spill dropped, another kfunc or map put in. A real kernel then says which of them are still good.
/// </summary>
/// <remarks>
/// Deterministic: seed, object and program decide. Of instructions with CO-RE relocations nothing is changed.
/// </remarks>
public static class Mutator
{
    private const byte CallOpcode = (byte)InsnClass.Jmp | BpfOp.Call;
    private static readonly BpfInsn Nop = new((byte)InsnClass.Jmp | BpfOp.Ja, 0, 0, 0, 0);
    private static readonly BpfInsn Exit = new((byte)InsnClass.Jmp | BpfOp.Exit, 0, 0, 0, 0);

    /// <summary>Writes <c>--copies N</c> mutants of each object to <c>--to DIR</c>.</summary>
    public static int Run(Options options)
    {
        var copies = int.Parse(options["copies"] ?? "1", CultureInfo.InvariantCulture);
        var seed = int.Parse(options["seed"] ?? "1", CultureInfo.InvariantCulture);
        var only = options["ownership"] is { } file ? File.ReadAllLines(file).Select(l => l.Trim()).ToHashSet() : null;
        Directory.CreateDirectory(options["to"]!);
        var written = 0;
        foreach (var path in options.Objects())
        {
            var name = Options.NameOf(path);
            if ((only is not null && !only.Contains(name))
                || ObjectReader.TryRead(path, new DiagSink()) is not { } read)
            {
                continue;
            }

            for (var copy = 0; copy < copies; copy++)
            {
                var bytes = File.ReadAllBytes(path);
                Mutate(bytes, read, HashOf($"{seed}/{copy}/{name}"));
                File.WriteAllBytes(Path.Combine(options["to"]!, $"{name}__s{seed}m{copy}.bpf.o"), bytes);
                written += read.Progs.Length;
            }
        }

        Console.WriteLine($"{written} mutants");
        return 0;
    }

    internal static int HashOf(string text) => text.Aggregate(17, (h, c) => unchecked((h * 31) + c));

    private static void Mutate(byte[] elf, ObjectSpec read, int seed)
    {
        var functions = ElfFunctions.Find(elf);
        var relocs = new ElfRelocs(elf);
        foreach (var prog in read.Progs)
        {
            if (functions.TryGetValue(prog.Name, out var place))
            {
                MutateFunction(elf, relocs, place, prog.CoReRelocs.Select(r => r.InsnIdx),
                    new Random(unchecked(seed ^ HashOf(prog.Name))));
            }
        }

        // A called function is shared by programs, so most copies leave it as it is.
        foreach (var (name, place) in functions.Where(f => read.Progs.All(p => p.Name != f.Key)))
        {
            var random = new Random(unchecked(seed ^ HashOf(name)));
            if (random.Next(6) == 0)
            {
                MutateFunction(elf, relocs, place, [], random);
            }
        }
    }

    private static void MutateFunction(
        byte[] elf, ElfRelocs relocs, (int Offset, int Size) place, IEnumerable<int> kept, Random random)
    {
        if (random.Next(4) == 0 && TryMutateReloc(elf, relocs, place, random))
        {
            return;
        }

        var insns = MemoryMarshal.Cast<byte, BpfInsn>(elf.AsSpan(place.Offset, place.Size));
        var fixedInsns = Fixed(insns, kept, i => relocs.Patches(place.Offset + (i * BpfInsn.SizeBytes)));
        for (var tries = 0; tries < 50 && !TryMutate(insns, fixedInsns, random); tries++)
        {
        }
    }

    /// <summary>
    /// Leaves a relocated call out, or puts another symbol of the same kind in its place: another kfunc, another map.
    /// </summary>
    private static bool TryMutateReloc(byte[] elf, ElfRelocs relocs, (int Offset, int Size) function, Random random)
    {
        int[] places = [
            .. relocs.Places.Where(p => p >= function.Offset && p < function.Offset + function.Size).Order(),
        ];
        if (places.Length == 0)
        {
            return false;
        }

        var place = places[random.Next(places.Length)];
        if (elf[place] == CallOpcode && random.Next(2) == 0)
        {
            MemoryMarshal.Write(elf.AsSpan(place), Nop);
            relocs.Remove(place);
            return true;
        }

        uint[] others = [
            .. relocs.Places.Where(p => elf[p] == elf[place]).Select(p => relocs.SymbolAt(p)).Distinct().Order(),
        ];
        var symbol = others[random.Next(others.Length)];
        var changed = symbol != relocs.SymbolAt(place);
        relocs.SetSymbol(place, symbol);
        return changed;
    }

    /// <summary>Instructions that must stay: those with relocations, and both slots of 64-bit immediates.</summary>
    private static bool[] Fixed(ReadOnlySpan<BpfInsn> insns, IEnumerable<int> coRe, Func<int, bool> patched)
    {
        var kept = new bool[insns.Length + 1];
        kept[insns.Length] = true;
        foreach (var at in coRe)
        {
            kept[Math.Min(at, insns.Length)] = true;
        }

        for (var i = 0; i < insns.Length; i++)
        {
            kept[i] |= insns[i].Opcode == BpfOp.LdImm64 || patched(i);
            if (insns[i].Opcode == BpfOp.LdImm64 && i + 1 < insns.Length)
            {
                kept[++i] = true;
            }
        }

        return kept;
    }

    private static bool TryMutate(Span<BpfInsn> insns, bool[] kept, Random random)
    {
        var i = random.Next(insns.Length);
        if (kept[i])
        {
            return false;
        }

        var insn = insns[i];
        BpfInsn? changed = random.Next(12) switch
        {
            0 => Nop,
            1 when i + 2 < insns.Length =>
                new BpfInsn(Nop.Opcode, 0, 0, (short)(insns[i + 1].Opcode == BpfOp.LdImm64 ? 2 : 1), 0),
            2 or 3 => Invert(insn),
            4 => WithRegs(insn, insn.Dst, random.Next(10)),
            5 => WithRegs(insn, random.Next(10), insn.Src),
            6 => ChangeImm(insn, random),
            7 => ChangeOff(insn, random),
            8 => ChangeSize(insn, random),
            9 => ChangeHelper(insns, insn, random),
            10 when i % 4 == 0 => Exit,
            11 when !kept[i + 1] => insns[i + 1],
            _ => null,
        };
        if (changed is not { } mutant || mutant == insn)
        {
            return false;
        }

        if (changed == (i + 1 < insns.Length ? insns[i + 1] : null) && !kept[i + 1])
        {
            insns[i + 1] = insn;
        }

        insns[i] = mutant;
        return true;
    }

    private static bool IsJump(BpfInsn insn) => insn.Class is InsnClass.Jmp or InsnClass.Jmp32;

    private static bool IsCall(BpfInsn insn) => insn.Opcode == CallOpcode;

    private static BpfInsn? Invert(BpfInsn insn)
    {
        byte? op = !IsJump(insn) ? null : (byte)(insn.Opcode & BpfOp.OpMask) switch
        {
            BpfOp.Jeq => BpfOp.Jne,
            BpfOp.Jne => BpfOp.Jeq,
            BpfOp.Jgt => BpfOp.Jle,
            BpfOp.Jge => BpfOp.Jlt,
            BpfOp.Jlt => BpfOp.Jge,
            BpfOp.Jle => BpfOp.Jgt,
            BpfOp.Jsgt => BpfOp.Jsle,
            BpfOp.Jsge => BpfOp.Jslt,
            BpfOp.Jslt => BpfOp.Jsge,
            BpfOp.Jsle => BpfOp.Jsgt,
            _ => null,
        };
        return op is { } found
            ? new BpfInsn((byte)((insn.Opcode & ~BpfOp.OpMask) | found), insn.Dst, insn.Src, insn.Off, insn.Imm) : null;
    }

    private static BpfInsn? WithRegs(BpfInsn insn, int dst, int src)
    {
        var takesSrc = insn.Class is InsnClass.Ldx or InsnClass.Stx || ((insn.Opcode & BpfOp.X) != 0 && !IsCall(insn));
        return IsCall(insn) || insn.Opcode == Exit.Opcode || (src != insn.Src && !takesSrc)
            ? null : new BpfInsn(insn.Opcode, dst, src, insn.Off, insn.Imm);
    }

    private static BpfInsn? ChangeImm(BpfInsn insn, Random random)
    {
        if (IsCall(insn) || insn.Class is InsnClass.Ldx or InsnClass.Stx || (insn.Opcode & BpfOp.X) != 0)
        {
            return null;
        }

        int[] choices = [0, 1, -1, 8, 4096, int.MaxValue, int.MinValue, insn.Imm + 1, insn.Imm
            - 1, unchecked(insn.Imm * 2), -insn.Imm];
        return new BpfInsn(insn.Opcode, insn.Dst, insn.Src, insn.Off, choices[random.Next(choices.Length)]);
    }

    private static BpfInsn? ChangeOff(BpfInsn insn, Random random)
    {
        var isMemory = insn.Class is InsnClass.Ldx or InsnClass.Stx or InsnClass.St;
        if (!isMemory && (!IsJump(insn) || IsCall(insn) || insn.Opcode == Exit.Opcode))
        {
            return null;
        }

        int[] steps = isMemory ? [-8, -4, -1, 1, 4, 8, 16, -16] : [-2, -1, 1, 2, 3];
        return new BpfInsn(insn.Opcode, insn.Dst,
            insn.Src, (short)(insn.Off + steps[random.Next(steps.Length)]), insn.Imm);
    }

    private static BpfInsn? ChangeSize(BpfInsn insn, Random random)
    {
        if (insn.Class is not (InsnClass.Ldx or InsnClass.Stx or InsnClass.St))
        {
            return null;
        }

        byte[] sizes = [BpfOp.B, BpfOp.H, BpfOp.W, BpfOp.Dw];
        return new BpfInsn((byte)((insn.Opcode & ~BpfOp.SizeMask) | sizes[random.Next(4)]), insn.Dst, insn.Src,
            insn.Off, insn.Imm);
    }

    // Another helper of the same program, or a neighbour by number.
    private static BpfInsn? ChangeHelper(ReadOnlySpan<BpfInsn> insns, BpfInsn insn, Random random)
    {
        if (!IsCall(insn) || insn.Src != 0)
        {
            return null;
        }

        var ids = new List<int> { insn.Imm - 1, insn.Imm + 1 };
        foreach (var other in insns)
        {
            if (IsCall(other) && other.Src == 0 && other.Imm > 0)
            {
                ids.Add(other.Imm);
            }
        }

        return new BpfInsn(insn.Opcode, 0, 0, 0, ids[random.Next(ids.Count)]);
    }
}
