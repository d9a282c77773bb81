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
        var records = spec.Btf is null ? null : new MapRecords(spec.Btf, kernel);
        var objectFault = records?.LoadFault;
        var maps = ImmutableArray.CreateBuilder<MapSpec>(spec.Maps.Length);
        foreach (var map in structOpsMaps)
        {
            var linked = records?.Resolve(map, ref objectFault) ?? map;
            maps.Add(map.Name == ".kconfig" ? KconfigWriter.Fill(linked, spec.Externs, kernel, ref objectFault) : linked);
        }

        var ready = maps.MoveToImmutable();
        var linker = new ProgLinker(spec, kernel, coReTypes, ready, members);
        var progs = ImmutableArray.CreateBuilder<ProgSpec>(spec.Progs.Length);
        foreach (var prog in spec.Progs)
        {
            var fault = prog.LinkFault ?? objectFault;
            progs.Add(Report(fault is null ? linker.Link(prog) : prog with { LinkFault = fault, Maps = ready }));
        }

        return spec with { Maps = ready, Progs = progs.MoveToImmutable() };
    }

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
            Message = fault.Message.StartsWith("prog '", StringComparison.Ordinal) ? fault.Message : $"prog '{prog.Name}': {fault.Message}",
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
