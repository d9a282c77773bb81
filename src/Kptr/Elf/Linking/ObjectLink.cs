using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>One linking of one object.</summary>
internal sealed class ObjectLink(ObjectSpec spec, KernelSpec kernel, KernelTypes coReTypes, DiagSink sink)
{
    public ObjectSpec Run()
    {
        var (structOpsMaps, members) = new StructOpsLinker(kernel).Link(spec);
        var records = spec.Btf is null ? null : new MapRecords(LoadedBtf.Of(spec), kernel);
        var refused = records?.LoadFault;
        var objectFault = refused is not null && CannotDoWithout(structOpsMaps) ? refused : null;
        var maps = ImmutableArray.CreateBuilder<MapSpec>(spec.Maps.Length);
        foreach (var map in structOpsMaps.Select(OfOwnType))
        {
            objectFault ??= FaultOfUnknownType(map);
            var linked = refused is null ? records?.Resolve(map, ref objectFault) ?? map : WithoutBtf(map);
            maps.Add(map.Name == ".kconfig"
                ? KconfigWriter.Fill(linked, spec.Externs, kernel, ref objectFault)
                : linked);
        }

        var ready = maps.MoveToImmutable();
        var symbols = new KsymResolver(spec.Btf, kernel);
        var symbolFault = spec.Externs.Select(symbols.FaultOf).FirstOrDefault(f => f is not null);
        var linker = new ProgLinker(spec, kernel, coReTypes, ready, members);
        var progs = ImmutableArray.CreateBuilder<ProgSpec>(spec.Progs.Length);
        foreach (var prog in spec.Progs)
        {
            var fault = prog.LinkFault ?? objectFault;
            var linked = fault is null ? linker.Link(prog) : prog with { LinkFault = fault, Maps = ready };
            linked = Report(linked with { LinkFault = linked.LinkFault ?? symbolFault });
            progs.Add(refused is null ? linked with { Btf = records?.Btf ?? linked.Btf } : WithoutBtf(linked));
        }

        return spec with
        {
            Maps = ready,
            Progs = progs.MoveToImmutable(),
            Btf = refused is null ? records?.Btf : null,
            BtfFault = refused ?? spec.BtfFault,
        };
    }

    // An inner map is made before the outer one, so it must be of a type that there is as well.
    private Diagnostic? FaultOfUnknownType(MapSpec map)
    {
        var at = map;
        while (at is not null && kernel.Profile.Knows(at.Type))
        {
            at = at.InnerMap;
        }

        return at is null || !map.Autocreate ? null
            : new(DiagCode.MapRefused, $"map '{map.Name}': the kernel has no map type {(uint)at.Type}")
            {
                File = spec.Name,
                Section = ".maps",
            };
    }

    private MapSpec OfOwnType(MapSpec map)
    {
        map = map.InnerMap is { } inner ? map with { InnerMap = OfOwnType(inner) } : map;
        return kernel.MapTypes.FirstOrDefault(t => t.Number == (uint)map.Type) is { } own
            ? map with { Type = own.Like, OwnType = own }
            : map;
    }

    /// <summary>
    /// Whether loading fails with the BTF: struct_ops are made of it, and storage of sockets, inodes, tasks and cgroups
    /// is not created without the types of key and value. Everything else goes on without.
    /// </summary>
    private static bool CannotDoWithout(ImmutableArray<MapSpec> maps) =>
        maps.Any(m => m.StructOps is not null || (m.Autocreate && MapBtfRules.NeedsTypes(m.Type)));

    private static MapSpec WithoutBtf(MapSpec map) =>
        map.WithoutTypes() with { InnerMap = map.InnerMap is { } inner ? WithoutBtf(inner) : null };

    /// <summary>
    /// Functions and lines are described in terms of the BTF, so the kernel does not hear of them either.
    /// </summary>
    private static ProgSpec WithoutBtf(ProgSpec prog) => prog with { Btf = null, FuncInfos = [], LineInfos = [] };

    private ProgSpec Report(ProgSpec prog)
    {
        if (prog.LinkFault is not { } fault)
        {
            return prog;
        }

        fault = fault with
        {
            File = fault.File ?? spec.Name,
            Section = fault.Section ?? prog.SectionName,
            Source = SourceOf(prog, fault.InsnIdx),
            Message = fault.Message.StartsWith("prog '", StringComparison.Ordinal)
                ? fault.Message
                : $"prog '{prog.Name}': {fault.Message}",
        };
        sink.Report(fault);
        return prog with { LinkFault = fault };
    }

    private static string? SourceOf(ProgSpec prog, int? insnIdx)
    {
        var line = prog.LineInfos.LastOrDefault(l => insnIdx is { } at && l.InsnIdx <= at);
        return line.File is null ? null : $"{line.File}:{line.Line}";
    }
}
