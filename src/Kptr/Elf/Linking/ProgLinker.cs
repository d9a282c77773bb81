using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf.CoRe;
using Kptr.Isa;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>Links the programs of one object.</summary>
internal sealed class ProgLinker(
    ObjectSpec spec,
    KernelSpec kernel,
    KernelTypes coReTypes,
    ImmutableArray<MapSpec> maps,
    IReadOnlyDictionary<string, StructOpsMember> members)
{
    /// <summary>Immediate of a call to a weak kfunc the kernel does not have; the extern's number is added.</summary>
    private const int PoisonKfunc = 2002000000;

    /// <summary>Immediate of a reference to a map that is not created; the map's number is added.</summary>
    private const int PoisonMap = 2001000000;

    private readonly CoReRelocator? _coRe = spec.Btf is null ? null : new(spec.Btf, coReTypes);
    private readonly KsymResolver _ksyms = new(spec.Btf, kernel);
    private readonly Dictionary<string, int> _mapIndex =
        maps.Select((m, i) => (m.Name, i)).DistinctBy(m => m.Name).ToDictionary(m => m.Name, m => m.i);

    private readonly Dictionary<string, int> _externIndex =
        spec.Externs.Select((e, i) => (e.Name, i)).DistinctBy(e => e.Name).ToDictionary(e => e.Name, e => e.i);

    public ProgSpec Link(ProgSpec prog)
    {
        var insns = prog.Insns.ToArray();
        var linked = AttachTargets.Resolve(WithStructOps(prog), kernel.Types) with { Maps = maps };
        var fault = linked.LinkFault;
        foreach (var at in prog.FdInsns)
        {
            FdInsn.Disown(insns, at);
        }

        foreach (var reloc in prog.CoReRelocs)
        {
            fault ??= _coRe!.Apply(insns, reloc);
        }

        foreach (var reloc in prog.Relocs)
        {
            fault ??= Apply(insns, reloc);
        }

        var maybe = prog.Relocs.Where(r => r.Kind == ProgRelocKind.TypelessKsym && _ksyms.MayBeMissing(r));
        return fault is not null
            ? linked with { LinkFault = fault }
            : linked with
            {
                Insns = ImmutableCollectionsMarshal.AsImmutableArray(insns),
                MaybeAddresses = [.. maybe.Select(r => r.InsnIdx)],
                Relocs = [],
                CoReRelocs = [],
                FdInsns = [],
            };
    }

    private ProgSpec WithStructOps(ProgSpec prog)
    {
        if (prog.Type == ProgType.Unspec)
        {
            return prog with { LinkFault = new(
                DiagCode.ProgTypeUnknown, $"missing BPF prog type, check ELF section name '{prog.SectionName}'") };
        }

        if (prog.Type != ProgType.StructOps || prog.AttachBtf is not null)
        {
            return prog;
        }

        return members.TryGetValue(prog.Name, out var use)
            ? prog with { AttachBtf = use.Type, StructOpsMember = use.Index, LinkFault = use.Fault }
            : prog with
            {
                LinkFault = new(DiagCode.StructOpsMismatch,
                    "SEC(\"struct_ops\") program isn't referenced anywhere, did you forget to use it?"),
            };
    }

    private Diagnostic? Apply(BpfInsn[] insns, ProgReloc reloc) => reloc.Kind switch
    {
        ProgRelocKind.Map or ProgRelocKind.MapValue => ApplyMap(insns, reloc),
        ProgRelocKind.KfuncCall => ApplyKfunc(insns, reloc),
        ProgRelocKind.TypedKsym => ApplyTypedKsym(insns, reloc),
        _ => ApplyAddress(insns, reloc.InsnIdx, _ksyms.AddressOf(reloc)),
    };

    private Diagnostic? ApplyMap(BpfInsn[] insns, ProgReloc reloc)
    {
        var at = reloc.InsnIdx;
        if (!_mapIndex.TryGetValue(reloc.Name, out var index))
        {
            return new(DiagCode.RelocBadTarget, $"no map '{reloc.Name}'") { InsnIdx = at };
        }

        if (!maps[index].Autocreate)
        {
            CoRePatcher.Poison(insns, at, PoisonMap + index);
            return null;
        }

        var isValue = reloc.Kind == ProgRelocKind.MapValue;
        insns[at] = new(BpfOp.LdImm64, insns[at].Dst, isValue
            ? BpfOp.PseudoMapValue
            : BpfOp.PseudoMapFd, insns[at].Off, index);
        if (isValue)
        {
            insns[at + 1] = SecondSlot(insns[at + 1], reloc.Addend);
        }

        return null;
    }

    private Diagnostic? ApplyKfunc(BpfInsn[] insns, ProgReloc reloc)
    {
        var at = reloc.InsnIdx;
        if (_ksyms.Find(reloc, out var fault) is { } place)
        {
            insns[at] = new(insns[at].Opcode, insns[at].Dst, BpfOp.PseudoKfuncCall, (short)place.BtfIdx, place.TypeId);
        }
        else if (fault is null)
        {
            CoRePatcher.Poison(insns, at, PoisonKfunc + _externIndex[reloc.Name]);
        }

        return fault;
    }

    private Diagnostic? ApplyTypedKsym(BpfInsn[] insns, ProgReloc reloc)
    {
        var at = reloc.InsnIdx;
        if (_ksyms.Find(reloc, out var fault) is { } place)
        {
            insns[at] = new(BpfOp.LdImm64, insns[at].Dst, BpfOp.PseudoBtfId, insns[at].Off, place.TypeId);
            insns[at + 1] = SecondSlot(insns[at + 1], place.BtfIdx);
            return null;
        }

        return fault ?? ApplyAddress(insns, at, 0);
    }

    private static Diagnostic? ApplyAddress(BpfInsn[] insns, int at, ulong address)
    {
        insns[at] = new(BpfOp.LdImm64, insns[at].Dst, insns[at].Src, insns[at].Off, (int)address);
        insns[at + 1] = SecondSlot(insns[at + 1], (int)(address >> 32));
        return null;
    }

    private static BpfInsn SecondSlot(BpfInsn insn, int imm) => new(insn.Opcode, insn.Dst, insn.Src, insn.Off, imm);
}
