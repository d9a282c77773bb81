namespace Kptr.Cli.Inspect;

/// <summary>An object for a person: a line for each program and map, what belongs to it below.</summary>
internal sealed class TextObjectWriter(TextWriter output)
{
    public void Write(ObjectView view)
    {
        output.WriteLine($"{Path.GetFileName(view.Object)}: license \"{view.License}\"");
        if (view.Programs.Length > 0)
        {
            output.WriteLine();
            output.WriteLine("programs");
        }

        foreach (var prog in view.Programs)
        {
            Write(prog);
        }

        if (view.Maps.Length > 0)
        {
            output.WriteLine();
            output.WriteLine("maps");
        }

        foreach (var map in view.Maps)
        {
            Write(map);
        }

        if (view.Externs.Length > 0)
        {
            output.WriteLine();
            output.WriteLine("wanted of the kernel");
        }

        foreach (var item in view.Externs)
        {
            output.WriteLine(
                $"  {item.Kind,-8} {(item.Type.Length > 0 ? item.Type : item.Name)}{(item.Weak ? " (weak)" : "")}");
        }
    }

    private void Write(ProgView prog)
    {
        var extras = new[]
        {
            prog.AttachType,
            prog.Sleepable ? "sleepable" : null,
            prog.Autoload ? null : "not loaded unless asked for",
        }.OfType<string>();
        output.WriteLine(
            $"  {prog.Name}: {prog.Type} SEC(\"{prog.Section}\"), {prog.Insns} instructions{Join(extras)}");
        WriteList("subprograms", prog.Subprograms);
        WriteList("kfuncs", prog.Kfuncs);
        WriteList("maps", prog.MapsUsed);
        if (prog.LinkFault is { } fault)
        {
            output.WriteLine($"      does not link: {fault}");
        }
    }

    private void Write(MapView map)
    {
        string?[] all = [map.Flags.Length > 0 ? map.Flags : null, map.Pinned ? "pinned by name" : null];
        var extras = Join(all.OfType<string>());
        output.WriteLine(
            $"  {map.Name}: {map.Type}, {map.MaxEntries} entries, key {map.Key}, value {map.Value}{extras}");
        foreach (var field in map.Fields)
        {
            var pointee = field.Pointee is { } type ? $" -> {type}" : "";
            var dtor = field.Destructor is { } name ? $", freed by {name}" : "";
            output.WriteLine($"      +{field.Offset,-4} {field.Kind,-14} {field.Name}{pointee}{dtor}");
        }

        foreach (var slot in map.Slots)
        {
            output.WriteLine($"      [{slot.Key}] = {slot.Target}");
        }
    }

    private void WriteList(string what, IReadOnlyCollection<string> names)
    {
        if (names.Count > 0)
        {
            output.WriteLine($"      {what}: {string.Join(", ", names)}");
        }
    }

    private static string Join(IEnumerable<string> extras) => string.Concat(extras.Select(e => ", " + e));
}
