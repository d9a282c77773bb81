using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>Does to an object what the selftests' user space and the judge did before they loaded it.</summary>
public static class SelftestObject
{
    private const string BtfPathTag = "test_btf_path=";

    /// <summary>Links all programs; one that asks for types of its own gets them from the file it names.</summary>
    public static IEnumerable<ProgSpec> Link(
        string path, ObjectSpec read, Dictionary<string, ExpectedRow>? rows, KernelSpec kernel)
    {
        var ready = read with
        {
            Progs = [.. read.Progs.Select(p => Prepare(p, rows?.GetValueOrDefault(p.Name)))],
            Maps = [.. read.Maps.Select(Prepare)],
        };
        var paths = TagsOf(read, BtfPathTag);
        var linked = ObjectLinker.Link(ready, kernel, new DiagSink());
        foreach (var prog in linked.Progs)
        {
            var own = paths.GetValueOrDefault(prog.Name);
            var file = own is null ? null : Path.Combine(Path.GetDirectoryName(path)!, own);
            yield return file is null || !File.Exists(file)
                ? prog
                : ObjectLinker.Link(ready, kernel, new DiagSink(), KernelBtfReader.Read(file)).Progs.First(
                    p => p.Name == prog.Name);
        }
    }

    /// <summary>An object as the selftests' loader hands it over for one of its programs.</summary>
    public static ObjectSpec Ready(ObjectSpec read)
    {
        var flags = LoadFlagTags.Read(read);
        return read with
        {
            Progs = [.. read.Progs.Select(p => flags.GetValueOrDefault(p.Name) is var (set, clear)
                ? p.WithFlags(set, clear) : p)],
            Maps = [.. read.Maps.Select(Prepare)],
        };
    }

    /// <summary>Functions with a tag of this name, and what follows it; of several the last.</summary>
    public static Dictionary<string, string> TagsOf(ObjectSpec spec, string name)
    {
        var tags = new Dictionary<string, string>();
        foreach (var (function, value) in TestTags.Of(spec, name))
        {
            tags[function] = value;
        }

        return tags;
    }

    /// <summary>A map of maps that does not say of which is one of small arrays.</summary>
    private static MapSpec Prepare(MapSpec map) =>
        map.Type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps && map.InnerMap is null
            ? map with
            {
                InnerMap = new MapSpec("inner", BpfMapType.Array) { KeySize = 4, ValueSize = 4, MaxEntries = 1 },
            }
            : map;

    /// <summary>
    /// The table notes where the judge chose another attach target, or a type for a section nobody knows.
    /// </summary>
    private static ProgSpec Prepare(ProgSpec prog, ExpectedRow? row)
    {
        var note = row?["note"] ?? "";
        if (note.Contains("type guessed", StringComparison.Ordinal))
        {
            prog = prog with { Type = Enum.GetValues<ProgType>().First(t => KernelNames.Of(t) == row!["type"]) };
        }

        return note.StartsWith("bpf_", StringComparison.Ordinal) ? prog with { AttachTarget = note } : prog;
    }
}
