using Kptr.Specs;

namespace Kptr.Elf;

/// <summary>
/// What of a blueprint must hold before it is linked: everything that refers to an instruction or a type refers to one
/// that is there. The reader makes no others; a caller can.
/// </summary>
internal static class SpecCheck
{
    /// <exception cref="ArgumentException">Says which program or map refers to what is not there,
    /// or that the types are split.</exception>
    public static void Require(ObjectSpec spec)
    {
        Require(
            !spec.Progs.IsDefault && !spec.Maps.IsDefault && !spec.Externs.IsDefault,
            "the object's programs, maps or externs are a default array, which is none");
        Require(
            spec is { Name: not null, License: not null } && spec.Progs.All(IsWhole) && spec.Maps.All(IsWhole)
                && spec.Externs.All(e => e is { Name: not null }),
            "the object, or a program, map or extern of it, is null, has no name or a default array");
        Require(spec.Btf?.Base is null, "the types of an object stand on their own, not on a kernel's");
        foreach (var map in spec.Maps)
        {
            Require(map);
        }

        foreach (var prog in spec.Progs)
        {
            RequireInsns(prog);
            RequireTypes(prog, spec);
        }

        foreach (var symbol in spec.Externs)
        {
            Require(HasType(spec, symbol.LocalTypeId), $"extern '{symbol.Name}' has a type that is not there");
        }
    }

    private static bool IsWhole(ProgSpec? prog) =>
        prog is
        {
            Name: not null, SectionName: not null, License: not null, Insns.IsDefault: false, Maps.IsDefault: false,
            FuncInfos.IsDefault: false, LineInfos.IsDefault: false, Relocs.IsDefault: false, FdInsns.IsDefault: false,
            CoReRelocs.IsDefault: false,
        };

    private static bool IsWhole(MapSpec? map) =>
        map is { Name: not null, Record: not null, InitialSlots.IsDefault: false }
            && (map.InnerMap is null || IsWhole(map.InnerMap));

    private static void Require(MapSpec map)
    {
        var count = map.Btf?.TypeCount ?? 1;
        Require(
            (uint)map.KeyTypeId < (uint)count && (uint)map.ValueTypeId < (uint)count,
            $"map '{map.Name}' has a type that is not there");
        Require(map.StructOps is null || map.Btf is not null, $"struct_ops '{map.Name}' has no types");
        if (map.InnerMap is { } inner)
        {
            Require(inner);
        }
    }

    // Not the places of CO-RE relocations: files have wrong ones, which are a fault of their program.
    private static void RequireInsns(ProgSpec prog)
    {
        var count = prog.Insns.Length;
        var places = prog.FdInsns
            .Concat(prog.Relocs.Select(
                r => r.Kind == ProgRelocKind.KfuncCall ? r.InsnIdx : Math.Max(r.InsnIdx, -1) + 1));
        Require(
            places.All(at => at >= 0 && at < count) && prog.Relocs.All(r => r.InsnIdx >= 0),
            $"program '{prog.Name}' refers to an instruction that is not there");
    }

    private static void RequireTypes(ProgSpec prog, ObjectSpec spec) => Require(
        prog.CoReRelocs.All(r => spec.Btf is not null && HasType(spec, r.TypeId))
            && prog.Relocs.All(r => HasType(spec, r.LocalTypeId))
            && (spec.Btf is not null
                || prog.Relocs.All(r => r.Kind is ProgRelocKind.Map or ProgRelocKind.MapValue
                    or ProgRelocKind.TypelessKsym)),
        $"program '{prog.Name}' refers to a type that is not there");

    private static bool HasType(ObjectSpec spec, int id) => (uint)id < (uint)(spec.Btf?.TypeCount ?? 1);

    private static void Require(bool holds, string message)
    {
        if (!holds)
        {
            throw new ArgumentException(message);
        }
    }
}
