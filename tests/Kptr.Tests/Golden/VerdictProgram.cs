using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Golden;

/// <summary>Makes a linked program of a <see cref="VerdictFile"/>.</summary>
internal sealed class VerdictProgram
{
    /// <summary>The kernel of files that declare no types of it.</summary>
    public static readonly KernelSpec Builtin = BuiltinKernel.Spec(KernelProfile.Linux6_12);
    private readonly VerdictFile _file;
    private readonly List<string> _words;
    private readonly BtfSpec? _types;

    public VerdictProgram(VerdictFile file)
    {
        _file = file;
        _words = file.Words;
        var declared = file.Text("kernel");
        var profile = _words.Select(KernelProfile.Find).LastOrDefault(p => p is not null) ?? KernelProfile.Linux6_12;
        Kernel = declared.Length > 0 ? BuiltinKernel.Spec(profile, KfuncRegistry.Builtin, declared)
            : profile == KernelProfile.Linux6_12 ? Builtin
            : BuiltinKernel.Spec(profile);
        if (_words.FirstOrDefault(w => w.StartsWith("cpus=", StringComparison.Ordinal)) is { } cpus)
        {
            Kernel = Kernel with { CpuIds = int.Parse(cpus["cpus=".Length..], CultureInfo.InvariantCulture) };
        }

        _types = file.Text("types") is { Length: > 0 } types ? CDeclParser.Parse(types, "test") : null;
    }

    /// <summary>The kernel the program is judged against.</summary>
    public KernelSpec Kernel { get; }

    /// <summary>The program, ready to be verified.</summary>
    public ProgSpec Link()
    {
        var section = _words.FirstOrDefault() ?? "socket";
        var asm = TextAssembler.Assemble(
            Regex.Replace(_file.Text("asm"), @"\{([\w.:]+)\}", m => Number(m.Groups[1].Value)), HelperOf);
        var maps = _file.Lines("maps").Select(MakeMap).ToImmutableArray();
        var (btf, funcs) = MakeFuncs(asm);
        var def = SectionDefs.Find(section)!;
        var prog = new ProgSpec("test", def.Type, MakeInsns(asm))
        {
            SectionName = section,
            ExpectedAttachType = def.Attach,
            AttachTarget = def.TargetOf(section),
            IsSleepable = (def.Flags & SectionFlags.Sleepable) != 0,
            License = _words.Contains("proprietary") ? "Proprietary" : "GPL",
            LoadFlags = (_words.Contains("strict") ? 1u : 0u) | (_words.Contains("every-state") ? 1u << 3 : 0u)
                | (_words.Contains("invariants") ? 1u << 7 : 0u),
            Btf = btf,
            FuncInfos = funcs,
            Relocs = [.. asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Address).Select(s => MakeReloc(s, maps))],
        };
        var linked = ObjectLinker.Link(
            new ObjectSpec("test") { Progs = [WithMember(prog)], Maps = maps }, Kernel, new DiagSink()).Progs[0];
        linked.LinkFault.Should().BeNull();
        linked = _words.Contains("ext") ? linked with { Type = ProgType.Ext } : linked;
        return linked;
    }

    private static int? HelperOf(string name) =>
        HelperTable.All.FirstOrDefault(h => h.Name == name) is { } h ? (int)h.Id : null;

    /// <summary>
    /// <c>{task_struct.pid}</c> is an offset in bytes, of the kernel's types or the program's; <c>{id:node}</c> a
    /// type's number in the program's BTF.
    /// </summary>
    private string Number(string name)
    {
        var number = name.StartsWith("id:", StringComparison.Ordinal)
            ? _types!.FindId(name["id:".Length..], BtfKind.Struct)
            : OffsetOf(name.Split('.'));
        return number.ToString(CultureInfo.InvariantCulture);
    }

    private int OffsetOf(string[] path)
    {
        var btf = _types is not null && _types.FindId(path[0], BtfKind.Struct) != 0 ? _types : Kernel.Types.Vmlinux;
        var type = btf[btf.FindId(path[0], BtfKind.Struct)];
        var member = Enumerable.Range(0, type.VLen).Select(type.Member).First(m => m.Name == path[1]);
        return member.OffsetBytes;
    }

    /// <summary><c>struct_ops:my_ops.member</c> names what a struct_ops program implements.</summary>
    private ProgSpec WithMember(ProgSpec prog)
    {
        if (_words.FirstOrDefault(w => w.StartsWith("member:", StringComparison.Ordinal)) is not { } word)
        {
            return prog;
        }

        var path = word["member:".Length..].Split('.');
        var at = Kernel.Types.Find(path[0], BtfKind.Struct)!.Value;
        var type = Kernel.Types[at];
        return prog with
        {
            AttachBtf = at,
            StructOpsMember = Enumerable.Range(0, type.VLen).First(i => type.Member(i).Name == path[1]),
        };
    }

    /// <summary>
    /// Calls lead to the kernel's functions; <c>-- patch</c> then writes what no assembler would: <c>0 opcode=e7</c>.
    /// </summary>
    private ImmutableArray<BpfInsn> MakeInsns(AsmProgram asm)
    {
        var insns = asm.Insns.ToArray();
        foreach (var call in asm.Symbols.Where(s => s.Kind == AsmSymbolKind.Call))
        {
            var at = Kernel.Types.Find(call.Name, BtfKind.Func)!.Value;
            insns[call.InsnIdx] = new(
                insns[call.InsnIdx].Opcode, 0, BpfOp.PseudoKfuncCall, (short)at.BtfIdx, at.TypeId);
        }

        foreach (var words in _file.Lines("patch").Select(l => l.Split(' ', '=')))
        {
            ref var insn = ref insns[int.Parse(words[0], null)];
            insn = words[1] switch
            {
                "opcode" => new(Convert.ToByte(words[2], 16), insn.Dst, insn.Src, insn.Off, insn.Imm),
                "off" => new(insn.Opcode, insn.Dst, insn.Src, short.Parse(words[2], null), insn.Imm),
                _ => new(insn.Opcode, insn.Dst, insn.Src, insn.Off, int.Parse(words[2], null)),
            };
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

    /// <summary>
    /// <c>hash tasks 8 16 kptr:task_struct@8 lock@0 rdonly</c>: type, name, key and value size, fields; or
    /// <c>hash tasks 8 elem</c> with a struct of <c>-- types</c>.
    /// </summary>
    private MapSpec MakeMap(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var isTyped = !char.IsDigit(words[3][0]);
        var typeId = isTyped ? _types!.FindId(words[3], BtfKind.Struct) : 1;
        var map = new MapSpec(words[1], Enum.Parse<BpfMapType>(words[0], ignoreCase: true))
        {
            KeySize = int.Parse(words[2], null),
            ValueSize = isTyped ? _types![typeId].SizeBytes : int.Parse(words[3], null),
            MaxEntries = 1,
            Btf = isTyped ? _types : Kernel.Types.Vmlinux,
            ValueTypeId = typeId,
            Flags = words.Contains("rdonly") ? MapFlags.RdOnlyProg : MapFlags.None,
        };
        return map with { Record = isTyped
            ? ReadRecord(map)
            : new BtfRecord([.. words.Where(w => w.Contains('@')).Select(MakeField)]) };
    }

    private BtfRecord ReadRecord(MapSpec map)
    {
        var reader = new BtfRecordReader(
            _types!, Kernel.Types, Kernel.Dtors.GetValueOrDefault, Kernel.Profile.RecordRules);
        return reader.ReadMapValue(map.ValueTypeId, map.ValueSize).Record;
    }

    private BtfField MakeField(string word)
    {
        var parts = word.Split('@');
        var at = int.Parse(parts[1], null);
        if (parts[0] is "lock" or "reslock" or "timer")
        {
            var special = parts[0] switch
            {
                "lock" => BtfFieldKind.SpinLock,
                "reslock" => BtfFieldKind.ResSpinLock,
                _ => BtfFieldKind.Timer,
            };
            return new(special, parts[0], at, special == BtfFieldKind.Timer ? 16 : 4);
        }

        var kind = parts[0].StartsWith("uptr", StringComparison.Ordinal)
            ? BtfFieldKind.KptrUnref
            : BtfFieldKind.KptrRef;
        var type = parts[0].Split(':')[1];
        var pointee = Kernel.Types[Kernel.Types.Find(type, BtfKind.Struct)!.Value];
        return new(kind, "field", at, 8) { Pointee = pointee, Dtor = Kernel.Dtors.GetValueOrDefault(type) };
    }

    private (BtfSpec? Btf, ImmutableArray<FuncInfo> Funcs) MakeFuncs(AsmProgram asm)
    {
        var lines = _file.Lines("funcs").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        if (_types is not null)
        {
            return (_types, [.. lines
                .Select(w => new FuncInfo(PlaceOf(asm, w[0]), _types.FindId(w[1], BtfKind.Func)))
                .OrderBy(f => f.InsnIdx)]);
        }

        if (lines.Count == 0)
        {
            return (null, []);
        }

        var builder = new BtfBuilder("test");
        var number = builder.AddInt("int", 4, isSigned: true);
        var funcs = new List<FuncInfo>();
        foreach (var words in lines)
        {
            var args = words.Length > 3 ? int.Parse(words[3], null) : 0;
            var proto = builder.AddFuncProto(words.Contains("void") ? 0 : number,
                Enumerable.Range(0, args).Select(i => new BtfParam($"a{i}", number)));
            var func = builder.AddFunc(words[1], proto, words[2] == "global" ? 1 : 0);
            funcs.Add(new(PlaceOf(asm, words[0]), func));
            foreach (var tag in words.Where(w => w.StartsWith("tag:", StringComparison.Ordinal)))
            {
                builder.AddDeclTag(tag[4..], func);
            }
        }

        return (builder.Build(), [.. funcs.OrderBy(f => f.InsnIdx)]);
    }

    /// <summary><c>start</c> is the first instruction, <c>wrong</c> one where no function starts.</summary>
    private static int PlaceOf(AsmProgram asm, string label) =>
        label switch { "start" => 0, "wrong" => 1, _ => asm.Labels[label] };
}
