using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Golden;

/// <summary>
/// One program and its verdict, from a file under <c>tests/data/verifier</c>. Sections: <c>-- prog</c> (section name, then
/// options), <c>-- maps</c>, <c>-- funcs</c> (label, name, linkage), <c>-- asm</c>, <c>-- expect</c>.
/// </summary>
internal sealed class VerdictFile
{
    private static readonly KernelSpec Kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);
    private readonly Dictionary<string, List<string>> _sections = [];

    private VerdictFile(string path)
    {
        var current = "";
        foreach (var line in File.ReadLines(path))
        {
            if (line.StartsWith("-- ", StringComparison.Ordinal))
            {
                current = line[3..].Trim();
                _sections[current] = [];
            }
            else if (current.Length > 0)
            {
                _sections[current].Add(line);
            }
        }
    }

    /// <summary>The first line of <c>-- expect</c>: <c>accept</c>, or <c>reject Code insn=1 ref=2 acquired=3</c>.</summary>
    public string Expected => _sections["expect"].First(l => l.Trim().Length > 0).Trim();

    /// <summary>Further lines of <c>-- expect</c>: each must be part of the kernel's message or the story.</summary>
    public IEnumerable<string> ExpectedParts => _sections["expect"].Select(l => l.Trim()).Where(l => l.Length > 0).Skip(1);

    public static VerdictFile Read(string path) => new(path);

    /// <summary>The kernel every file is judged against.</summary>
    public static KernelSpec KernelSpec => Kernel;

    /// <summary>Verifies the program as the file says.</summary>
    public VerifyResult Verify(bool pruning = true)
    {
        var words = Words();
        return BpfVerifier.Verify(Link(), Kernel, new VerifyOptions
        {
            Pruning = pruning,
            Privileged = !words.Contains("unprivileged"),
            InsnsMax = words.Contains("short") ? 100 : 1_000_000,
        });
    }

    /// <summary>The program, ready to be verified.</summary>
    public ProgSpec Link()
    {
        var words = Words();
        var section = words.FirstOrDefault() ?? "socket";
        var asm = TextAssembler.Assemble(string.Join('\n', _sections["asm"]), name => HelperTable.All.FirstOrDefault(h => h.Name == name) is { } h ? (int)h.Id : null);
        var maps = Lines("maps").Select(MakeMap).ToImmutableArray();
        var (btf, funcs) = MakeFuncs(asm);
        var def = SectionDefs.Find(section)!;
        var prog = new ProgSpec("test", def.Type, ResolveKfuncs(asm))
        {
            SectionName = section,
            ExpectedAttachType = def.Attach,
            AttachTarget = def.TargetOf(section),
            IsSleepable = (def.Flags & SectionFlags.Sleepable) != 0,
            License = words.Contains("proprietary") ? "Proprietary" : "GPL",
            LoadFlags = words.Contains("strict") ? 1u : 0u,
            Btf = btf,
            FuncInfos = funcs,
            Relocs = [.. asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Address).Select(s => MakeReloc(s, maps))],
        };
        var linked = ObjectLinker.Link(new ObjectSpec("test") { Progs = [prog], Maps = maps }, Kernel, new DiagSink()).Progs[0];
        linked.LinkFault.Should().BeNull();
        linked = words.Contains("ext") ? linked with { Type = ProgType.Ext } : linked;
        return linked;
    }

    /// <summary>The verdict in the words of <see cref="Expected"/>.</summary>
    public static string Describe(VerifyResult result)
    {
        if (result.IsAccepted)
        {
            return "accept";
        }

        var d = result.Diagnostics[^1];
        return $"{(result.Verdict == Verdict.Reject ? "reject" : "unsupported")} {d.Code} insn={d.InsnIdx}"
            + (d.RefObjId is { } id ? $" ref={id}" : "") + (d.AcquiredAtInsn is { } at ? $" acquired={at}" : "");
    }

    private List<string> Words() => [.. Lines("prog").SelectMany(l => l.Split(' '))];

    private IEnumerable<string> Lines(string section) =>
        _sections.GetValueOrDefault(section, []).Select(l => l.Split('#')[0].Trim()).Where(l => l.Length > 0);

    private static ImmutableArray<BpfInsn> ResolveKfuncs(AsmProgram asm)
    {
        var insns = asm.Insns.ToArray();
        foreach (var call in asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Call))
        {
            var at = Kernel.Types.Find(call.Name, BtfKind.Func)!.Value;
            insns[call.InsnIdx] = new(insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
        }

        return [.. insns];
    }

    private static ProgReloc MakeReloc(AsmSymbol symbol, ImmutableArray<MapSpec> maps)
    {
        var isValue = symbol.Name.EndsWith("_value", StringComparison.Ordinal);
        var name = isValue ? symbol.Name[..^"_value".Length] : symbol.Name;
        var isMap = maps.Any(m => m.Name == name);
        var kind = !isMap ? ProgRelocKind.TypedKsym : isValue ? ProgRelocKind.MapValue : ProgRelocKind.Map;
        return new(symbol.InsnIdx, kind, name, symbol.Addend);
    }

    /// <summary><c>hash tasks 8 16 kptr:task_struct@8 lock@0 rdonly</c>: type, name, key and value size, fields.</summary>
    private static MapSpec MakeMap(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var map = new MapSpec(words[1], Enum.Parse<BpfMapType>(words[0], ignoreCase: true))
        {
            KeySize = int.Parse(words[2], null),
            ValueSize = int.Parse(words[3], null),
            MaxEntries = 1,
            Btf = Kernel.Types.Vmlinux,
            ValueTypeId = 1,
            Flags = words.Contains("rdonly") ? MapFlags.RdOnlyProg : MapFlags.None,
        };
        return map with { Record = new BtfRecord([.. words.Where(w => w.Contains('@')).Select(MakeField)]) };
    }

    private static BtfField MakeField(string word)
    {
        var parts = word.Split('@');
        var at = int.Parse(parts[1], null);
        if (parts[0] is "lock" or "timer")
        {
            return new(parts[0] == "lock" ? BtfFieldKind.SpinLock : BtfFieldKind.Timer, parts[0], at, parts[0] == "lock" ? 4 : 16);
        }

        var kind = parts[0].StartsWith("uptr", StringComparison.Ordinal) ? BtfFieldKind.KptrUnref : BtfFieldKind.KptrRef;
        var type = parts[0].Split(':')[1];
        var pointee = Kernel.Types[Kernel.Types.Find(type, BtfKind.Struct)!.Value];
        return new(kind, "field", at, 8) { Pointee = pointee, Dtor = Kernel.Dtors.GetValueOrDefault(type) };
    }

    private (BtfSpec? Btf, ImmutableArray<FuncInfo> Funcs) MakeFuncs(AsmProgram asm)
    {
        var lines = Lines("funcs").ToList();
        if (lines.Count == 0)
        {
            return (null, []);
        }

        var builder = new BtfBuilder("test");
        var number = builder.AddInt("int", 4, isSigned: true);
        var funcs = new List<FuncInfo>();
        foreach (var words in lines.Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            var args = words.Length > 3 ? int.Parse(words[3], null) : 0;
            var proto = builder.AddFuncProto(words.Contains("void") ? 0 : number, Enumerable.Range(0, args).Select(i => new BtfParam($"a{i}", number)));
            var func = builder.AddFunc(words[1], proto, words[2] == "global" ? 1 : 0);
            funcs.Add(new(words[0] == "start" ? 0 : words[0] == "wrong" ? 1 : asm.Labels[words[0]], func));
            foreach (var tag in words.Where(w => w.StartsWith("tag:", StringComparison.Ordinal)))
            {
                builder.AddDeclTag(tag[4..], func);
            }
        }

        return (builder.Build(), [.. funcs.OrderBy(f => f.InsnIdx)]);
    }
}
