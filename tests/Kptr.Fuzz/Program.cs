using System.Globalization;
using Kptr.Fuzz;
using SharpFuzz;

// See README.md; fuzz.sh calls these modes.
switch (args)
{
    case ["afl", var name]:
        var fuzzed = FuzzTarget.Find(name);
        Fuzzer.OutOfProcess.Run(stream => Finding.Look(fuzzed, ReadAll(stream)));
        return 0;
    case ["seeds", var folder]:
        foreach (var target in FuzzTarget.All)
        {
            Corpus.Write(Path.Combine(folder, target.Name), target.Seeds());
        }

        return 0;
    case ["replay", var name, .. var paths]:
        return Corpus.Replay(FuzzTarget.Find(name), paths.SelectMany(Corpus.FilesOf));
    case ["mutate", var name, var count, var seed]:
        return Corpus.Mutate(FuzzTarget.Find(name), int.Parse(count, CultureInfo.InvariantCulture),
            int.Parse(seed, CultureInfo.InvariantCulture));
    case ["shrink", var name, var path]:
        return Shrinker.Run(FuzzTarget.Find(name), path);
    default:
        Console.Error.WriteLine(
            "afl TARGET | seeds FOLDER | replay TARGET PATH... | mutate TARGET COUNT SEED | shrink TARGET FILE");
        return 2;
}

static byte[] ReadAll(Stream stream)
{
    using var all = new MemoryStream();
    stream.CopyTo(all);
    return all.ToArray();
}
