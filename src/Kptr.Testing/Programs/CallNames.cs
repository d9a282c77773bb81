using System.Text.RegularExpressions;
using Kptr.Btf;
using Kptr.Isa;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Programs;

/// <summary>The kfuncs and helpers that programs call, by instruction.</summary>
internal sealed partial class CallNames(KernelModel kernel, IReadOnlyDictionary<string, BpfProgram> programs)
{
    /// <summary>All of them, each once.</summary>
    internal IEnumerable<string> All => programs.Values
        .SelectMany(p => Enumerable.Range(0, p.Spec.Insns.Length).Select(i => NameOf(p.Spec, i)))
        .OfType<string>().Distinct().Order(StringComparer.Ordinal);

    /// <summary>A text that is the same in every kernel: objects without their addresses.</summary>
    internal static string WithoutAddresses(string text) => AddressOfObject().Replace(text, "");

    /// <summary>A text with the calls that are at its places: "x at prog insn 3 (file.c:7)".</summary>
    internal string Blame(string text, params IEnumerable<RefSite> sites)
    {
        var calls = sites.Where(s => s.Prog is not null && programs.ContainsKey(s.Prog)).Distinct()
            .Select(s => (Site: s, Name: NameOf(programs[s.Prog!].Spec, s.Insn)))
            .Where(c => c.Name is not null)
            .Select(c => $"{c.Name} at {c.Site}").ToList();
        text = WithoutAddresses(text);
        return calls.Count == 0 ? text : $"{text}; called there: {string.Join(", ", calls)}";
    }

    [GeneratedRegex("@[0-9a-f]{6,16}")]
    private static partial Regex AddressOfObject();

    private string? NameOf(ProgSpec prog, int insnIdx)
    {
        if ((uint)insnIdx >= (uint)prog.Insns.Length)
        {
            return null;
        }

        var insn = prog.Insns[insnIdx];
        return insn.Opcode != ((byte)InsnClass.Jmp | BpfOp.Call) ? null
            : insn.Src == BpfOp.PseudoKfuncCall ? kernel.Spec.Types[new BtfRef(insn.Off, insn.Imm)].Name
            : insn.Src == 0 ? HelperName((HelperId)insn.Imm)
            : null;
    }

    // "MapUpdateElem" is bpf_map_update_elem.
    private static string HelperName(HelperId id) => "bpf" + string.Concat(
        id.ToString().Select(c => char.IsUpper(c) ? "_" + char.ToLowerInvariant(c) : c.ToString()));
}
