using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>
/// Compares a program's own instructions with the bytes <c>llvm-objdump -d -r</c> prints under its name. Instructions
/// with a relocation may differ in what relocation changes: immediate and pseudo source.
/// </summary>
public static partial class ObjdumpComparison
{
    public static int Compare(string objdump, string path, ObjectSpec spec)
    {
        var listed = Read(objdump, path, [.. spec.Progs.Select(p => p.Name)]);
        var differing = 0;
        foreach (var prog in spec.Progs)
        {
            if (!listed.TryGetValue(prog.Name, out var insns) || !IsSame(prog, insns))
            {
                differing++;
                Console.WriteLine($"{spec.Name}/{prog.Name}: instructions differ from objdump's");
            }
        }

        return differing;
    }

    private static bool IsSame(ProgSpec prog, List<(ulong Bytes, bool IsRelocated)> listed)
    {
        if (listed.Count != prog.OwnInsnCount)
        {
            return false;
        }

        for (var i = 0; i < listed.Count; i++)
        {
            var insn = prog.Insns[i];
            var mine = MemoryMarshal.Read<ulong>(MemoryMarshal.AsBytes([insn]));
            var isCall = insn.Opcode == (byte)InsnClass.Jmp + BpfOp.Call && insn.Src == BpfOp.PseudoCall;
            var mask = listed[i].IsRelocated ? 0x00000000_ffff_0fffUL
                : isCall ? 0x00000000_ffff_ffffUL
                : ulong.MaxValue;
            if ((mine & mask) != (listed[i].Bytes & mask))
            {
                return false;
            }
        }

        return true;
    }

    private static Dictionary<string, List<(ulong Bytes, bool IsRelocated)>> Read(
        string objdump, string path, HashSet<string> programs)
    {
        var start = new ProcessStartInfo(objdump)
        {
            RedirectStandardOutput = true,
            ArgumentList = { "-d", "-r", "-z", "--show-all-symbols", path },
        };
        using var process = Process.Start(start)!;
        var funcs = new Dictionary<string, List<(ulong, bool)>>();
        var current = new List<(ulong, bool)>();
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (FuncLine().Match(line) is { Success: true } func)
            {
                // Labels inside a function look the same, and start no function.
                if (programs.Contains(func.Groups[1].Value))
                {
                    funcs[func.Groups[1].Value] = current = [];
                }
            }
            else if (line.StartsWith("Disassembly of section", StringComparison.Ordinal))
            {
                current = [];
            }
            else if (InsnLine().Match(line) is { Success: true } insn)
            {
                var bytes = insn.Groups[1].Value.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
                for (var i = 0; i + 8 <= bytes.Length; i += 8)
                {
                    var value = 0UL;
                    for (var b = 7; b >= 0; b--)
                    {
                        value = (value << 8)
                            | byte.Parse(bytes[i + b], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                    }

                    current.Add((value, false));
                }
            }
            else if (line.Contains("R_BPF_", StringComparison.Ordinal) && current.Count > 0)
            {
                var at = current.Count - (line.Contains("R_BPF_64_64", StringComparison.Ordinal) ? 2 : 1);
                current[Math.Max(at, 0)] = (current[Math.Max(at, 0)].Item1, true);
            }
        }

        process.WaitForExit();
        return funcs;
    }

    [GeneratedRegex(@"^[0-9a-f]{16} <(.+)>:$")]
    private static partial Regex FuncLine();

    [GeneratedRegex(@"^\s+[0-9a-f]+:\s+((?:[0-9a-f]{2}[ \t])+)")]
    private static partial Regex InsnLine();
}
