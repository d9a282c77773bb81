using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>Which member of which kernel struct a program implements, or why that cannot be said.</summary>
internal readonly record struct StructOpsMember(BtfRef Type, int Index, Diagnostic? Fault);

/// <summary>Matches <c>struct_ops</c> variables with the kernel's structs of that name, member by member.</summary>
/// <remarks>Kernel: <c>bpf_map__init_kern_struct_ops</c> (libbpf 1.5).</remarks>
internal sealed class StructOpsLinker(KernelSpec kernel)
{
    private readonly Dictionary<string, StructOpsMember> _members = [];

    public (ImmutableArray<MapSpec> Maps, IReadOnlyDictionary<string, StructOpsMember> Members) Link(ObjectSpec spec)
    {
        var maps = spec.Maps.Select(m => m.StructOps is null ? m : LinkMap(m)).ToImmutableArray();
        return (maps, _members);
    }

    private MapSpec LinkMap(MapSpec map)
    {
        var ops = map.StructOps!;
        var name = BtfQueries.EssentialName(ops.TypeName).ToString();
        var fault = FindType(name, out var place) ?? CompareMembers(map, place);
        foreach (var (member, prog) in ops.Slots)
        {
            var index = fault is null ? IndexOf(kernel.Types[place], member) : -1;
            if (fault is not null || index >= 0)
            {
                AddUse(prog, new(place, index, fault));
            }
        }

        return fault is null ? map with { StructOps = ops with { KernelType = place } } : map;
    }

    /// <summary>A program may stand in several variables, but always for the same member.</summary>
    private void AddUse(string prog, StructOpsMember use)
    {
        if (!_members.TryGetValue(prog, out var earlier) || (earlier.Fault is not null && use.Fault is null))
        {
            _members[prog] = use;
        }
        else if (use.Fault is null && (earlier.Type != use.Type || earlier.Index != use.Index))
        {
            _members[prog] = earlier with { Fault = Mismatch("the program is used for two different members") };
        }
    }

    /// <summary>The struct, and the wrapper around it that makes it one for struct_ops.</summary>
    private Diagnostic? FindType(string name, out BtfRef place)
    {
        place = kernel.Types.Find(name, BtfKind.Struct) ?? default;
        if (place.TypeId == 0)
        {
            return Mismatch($"struct {name} is not found in kernel BTF");
        }

        return kernel.Types.All[place.BtfIdx].FindId("bpf_struct_ops_" + name, BtfKind.Struct) == 0
            ? Mismatch($"struct bpf_struct_ops_{name} is not found in kernel BTF")
            : null;
    }

    private Diagnostic? CompareMembers(MapSpec map, BtfRef place)
    {
        var local = map.Btf![map.ValueTypeId];
        var target = kernel.Types[place];
        for (var i = 0; i < local.VLen; i++)
        {
            var member = local.Member(i);
            var size = map.Btf.ResolveSize(member.TypeId);
            if (size < 0)
            {
                return Mismatch($"failed to resolve the size of member {member.Name}");
            }

            var index = IndexOf(target, member.Name);
            var wrong = index < 0
                ? IsZero(map, member, size) ? null : $"Cannot find member {member.Name} in kernel BTF"
                : Compare(map.Btf, member, size, target.Member(index), target.Btf);
            if (wrong is not null)
            {
                return Mismatch($"{map.Name}: {wrong}");
            }
        }

        return null;
    }

    private static string? Compare(BtfSpec btf, BtfMember mine, int size, BtfMember theirs, BtfSpec kernelBtf)
    {
        if (mine.BitfieldSizeBits != 0 || theirs.BitfieldSizeBits != 0)
        {
            return $"bitfield {mine.Name} is not supported";
        }

        var (a, b) = (btf.SkipModifiers(mine.TypeId), kernelBtf.SkipModifiers(theirs.TypeId));
        if (a.Kind != b.Kind)
        {
            return $"Unmatched member type {mine.Name} {(int)a.Kind} != {(int)b.Kind}(kernel)";
        }

        return a.Kind != BtfKind.Ptr
            && size != kernelBtf.ResolveSize(b.Id) ? $"Error in size of member {mine.Name}" : null;
    }

    private static bool IsZero(MapSpec map, BtfMember member, int size) =>
        member.OffsetBytes + size > map.InitialValue.Length
        || map.InitialValue.AsSpan().Slice(member.OffsetBytes, size).IndexOfAnyExcept((byte)0) < 0;

    private static int IndexOf(BtfType type, string member) =>
        Enumerable.Range(0, type.VLen).FirstOrDefault(i => type.Member(i).Name == member, -1);

    private static Diagnostic Mismatch(string message) =>
        new(DiagCode.StructOpsMismatch, $"struct_ops init_kern: {message}") { Section = ".struct_ops" };
}
