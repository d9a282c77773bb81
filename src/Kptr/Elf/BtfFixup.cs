using System.Buffers.Binary;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// Fills in what the compiler could not know when it wrote an object's BTF: sizes and offsets of data sections, the
/// layout of <c>.kconfig</c>, and the linkage of hidden functions and variables.
/// </summary>
/// <remarks>
/// Works on a copy of the BTF bytes, so type ids stay as they are. Kernel: <c>bpf_object_fixup_btf</c> (libbpf 1.5).
/// </remarks>
internal sealed class BtfFixup
{
    private readonly ElfFile _file;
    private readonly BtfSpec _btf;
    private readonly BtfPatch _patch;
    private readonly Dictionary<string, ElfSymbol> _variables = [];

    private BtfFixup(ElfFile file, BtfSpec btf, byte[] bytes)
    {
        _file = file;
        _btf = btf;
        _patch = new(btf, bytes);
        foreach (var symbol in file.Symbols)
        {
            if (symbol.Type == ElfConst.SymObject && symbol.IsGlobal)
            {
                _variables.TryAdd(file.NameOf(symbol), symbol);
            }
        }
    }

    /// <summary>The object's BTF with everything filled in.</summary>
    public static BtfSpec Apply(
        ElfFile file, BtfSpec btf, ReadOnlyMemory<byte> raw, ExternTable externs, ElfProgTable progs)
    {
        var fixup = new BtfFixup(file, btf, raw.ToArray());
        for (var id = 1; id < btf.TypeCount; id++)
        {
            if (btf[id].Kind == BtfKind.DataSec)
            {
                fixup.FixSection(id, externs);
            }
        }

        foreach (var prog in progs.All)
        {
            if (prog.IsHidden && progs.IsSubprog(prog) && btf.FindId(prog.Name, BtfKind.Func) is var func and not 0
                && btf[func].Linkage == 1)
            {
                fixup._patch.Put(func, 1, (uint)BtfKind.Func << 24); // vlen 0: static linkage
            }
        }

        return BtfSpec.Read(fixup._patch.Bytes, file.Name);
    }

    private void FixSection(int id, ExternTable externs)
    {
        var name = _btf[id].Name;
        switch (name)
        {
            case ".ksyms":
                return;
            case ".kconfig":
                FixKconfig(id, externs);
                break;
            default:
                FixVariables(id, name);
                break;
        }

        SortVariables(id);
    }

    private void FixKconfig(int id, ExternTable externs)
    {
        _patch.Put(id, 2, (uint)externs.KconfigSizeBytes);
        var byName = externs.All.Where(e => e.Kind == ExternKind.Kconfig).ToDictionary(e => e.Name);
        for (var i = 0; i < _btf[id].VLen; i++)
        {
            var variable = _btf[_btf[id].Var(i).TypeId];
            if (variable.Kind != BtfKind.Var || !byName.TryGetValue(variable.Name, out var spec))
            {
                Fail($"no extern definition for BTF variable '{variable.Name}'");
                return;
            }

            _patch.Put(variable.Id, 3, 1);
            _patch.Put(id, 4 + (3 * i), (uint)spec.Kconfig!.OffsetBytes);
        }
    }

    private void FixVariables(int id, string name)
    {
        var needsOffsets = _btf[id].SizeBytes == 0;
        if (needsOffsets)
        {
            var size = _file.Find(name)?.SizeBytes ?? 0;
            if (size == 0)
            {
                Fail($"section '{name}' has BTF, but no size in the file");
            }

            _patch.Put(id, 2, (uint)size);
        }

        for (var i = 0; i < _btf[id].VLen; i++)
        {
            var variable = _btf[_btf[id].Var(i).TypeId];
            if (variable.Kind != BtfKind.Var)
            {
                Fail($"section '{name}' has a type that is no variable");
            }

            if (variable.Linkage is 0 or 2)
            {
                continue;
            }

            if (!_variables.TryGetValue(variable.Name, out var symbol))
            {
                Fail($"variable '{variable.Name}' of section '{name}' has no symbol");
            }

            if (needsOffsets)
            {
                _patch.Put(id, 4 + (3 * i), (uint)symbol.Value);
            }

            if (symbol.IsHidden)
            {
                _patch.Put(variable.Id, 3, 0);
            }
        }
    }

    private void SortVariables(int id)
    {
        var vars = _patch.TrailerOf(id);
        var sorted = new List<byte[]>();
        for (var i = 0; i < vars.Length; i += 12)
        {
            sorted.Add(vars.Slice(i, 12).ToArray());
        }

        var at = 0;
        foreach (var one in sorted.OrderBy(v => BinaryPrimitives.ReadInt32LittleEndian(v.AsSpan(4))))
        {
            one.CopyTo(vars[at..]);
            at += 12;
        }
    }

    private void Fail(string message) => ElfFault.Throw(DiagCode.BtfMalformed, _file.Name, ".BTF", null, message);
}
