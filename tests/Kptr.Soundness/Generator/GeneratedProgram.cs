using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Soundness;

/// <summary>A program as text over the maps and types of <c>programs/maps.bpf.c</c>.</summary>
/// <param name="Section">What kind of program.</param>
/// <param name="Lines">Its assembler text. A label that starts with <c>fn_</c> is a function; main comes first.</param>
internal sealed record GeneratedProgram(string Section, ImmutableArray<string> Lines)
{
    private const string FuncPrefix = "fn_";
    private const string Impl = "_impl";
    private static readonly Dictionary<string, int> s_helpers =
        HelperTable.All.GroupBy(h => h.Name).ToDictionary(g => g.Key, g => (int)g.First().Id);

    /// <summary>The maps and types that it stands on.</summary>
    internal ProgBase Base { get; init; } = ProgBase.Maps;

    /// <summary>Whether a run may take the eight million rounds that <c>may_goto</c> allows.</summary>
    internal bool IsLong => Lines.Any(l => l.StartsWith("may_goto", StringComparison.Ordinal));

    /// <summary>The text, with its section as a comment.</summary>
    public override string ToString() => $"# SEC(\"{Section}\")\n{string.Join('\n', Lines)}\n";

    /// <summary>The number of the helper of a name, or null.</summary>
    internal static int? HelperOf(string name) => s_helpers.TryGetValue(name, out var id) ? id : null;

    /// <summary>The linked program; null where the text is none, because a line is missing.</summary>
    internal ProgSpec? TryLink(KernelSpec kernel, DiagSink sink)
    {
        if (!TextAssembler.TryAssemble(string.Join('\n', Lines), sink, out var asm, HelperOf)
            || ResolveKfuncs(asm, kernel) is not { } insns)
        {
            return null;
        }

        var relocs = asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Address)
            .Select(s => new ProgReloc(s.InsnIdx, ProgRelocKind.Map, s.Name, s.Addend));
        var linked = Link(Section, insns, FuncsOf(asm), [.. relocs], kernel, sink, Base);
        return linked.LinkFault is null ? linked : null;
    }

    /// <summary>A program of any instructions over the same maps and types.</summary>
    internal static ProgSpec Link(
        string section, ImmutableArray<BpfInsn> insns, ImmutableArray<FuncInfo> funcs, ImmutableArray<ProgReloc> relocs,
        KernelSpec kernel, DiagSink sink, ProgBase? on = null)
    {
        var def = SectionDefs.Find(section)!;
        var prog = new ProgSpec("generated", def.Type, insns)
        {
            SectionName = section,
            ExpectedAttachType = def.Attach,
            AttachTarget = def.TargetOf(section),
            IsSleepable = (def.Flags & SectionFlags.Sleepable) != 0,
            License = "GPL",
            Btf = (on ?? ProgBase.Maps).Btf,
            FuncInfos = funcs,
            Relocs = relocs,
        };
        return ObjectLinker.Link((on ?? ProgBase.Maps).Object with { Progs = [prog] }, kernel, sink).Progs[0];
    }

    private static ImmutableArray<BpfInsn>? ResolveKfuncs(AsmProgram asm, KernelSpec kernel)
    {
        var insns = asm.Insns.ToArray();
        foreach (var call in asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Call))
        {
            if (kernel.Types.Find(NameOf(call, kernel.Profile), BtfKind.Func) is not { } at)
            {
                return null;
            }

            insns[call.InsnIdx] = new(
                insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
        }

        return [.. insns];
    }

    // Newer kernels have many kfuncs by a name without "_impl" too, and some by that alone: half of the calls go there.
    private static string NameOf(AsmSymbol call, KernelProfile profile)
    {
        var kfuncs = KfuncRegistry.Builtin.SpecsOf(profile);
        var isLong = call.Name.EndsWith(Impl, StringComparison.Ordinal);
        var other = isLong ? call.Name[..^Impl.Length] : call.Name;
        return isLong && kfuncs.ContainsKey(other) && (!kfuncs.ContainsKey(call.Name) || call.InsnIdx % 2 == 0)
            ? other : call.Name;
    }

    private ImmutableArray<FuncInfo> FuncsOf(AsmProgram asm)
    {
        var btf = Base.Btf;
        var funcs = asm.Labels.Where(l => l.Key.StartsWith(FuncPrefix, StringComparison.Ordinal))
            .Select(l => new FuncInfo(l.Value, btf.FindId(l.Key.TrimEnd("0123456789".ToCharArray()), BtfKind.Func)))
            .Append(new FuncInfo(0, btf.FindId("entry", BtfKind.Func)));
        return [.. funcs.OrderBy(f => f.InsnIdx)];
    }
}
