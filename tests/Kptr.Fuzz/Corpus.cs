using System.Security.Cryptography;

namespace Kptr.Fuzz;

/// <summary>Files of inputs, named by their content.</summary>
internal static class Corpus
{
    private const int NameChars = 16;

    /// <summary>Writes inputs into a folder.</summary>
    internal static void Write(string folder, IEnumerable<byte[]> inputs)
    {
        Directory.CreateDirectory(folder);
        foreach (var input in inputs)
        {
            File.WriteAllBytes(Path.Combine(folder, NameOf(input)), input);
        }
    }

    /// <summary>A file's name: the start of its SHA-256.</summary>
    internal static string NameOf(byte[] input) => Convert.ToHexStringLower(SHA256.HashData(input))[..NameChars];

    /// <summary>The files of a folder, or the one file.</summary>
    internal static IEnumerable<string> FilesOf(string path) =>
        Directory.Exists(path) ? Directory.GetFiles(path).Order(StringComparer.Ordinal) : [path];

    /// <summary>Runs a target on files, and prints what each of them finds.</summary>
    /// <returns>1 where something is wrong.</returns>
    internal static int Replay(FuzzTarget target, IEnumerable<string> paths)
    {
        var (accepted, refused, bad) = (0, 0, 0);
        foreach (var path in paths)
        {
            switch (Try(target, File.ReadAllBytes(path)))
            {
                case (var isAccepted, null):
                    _ = isAccepted ? accepted++ : refused++;
                    break;
                case (_, { } e):
                    bad++;
                    Console.WriteLine($"{path}: {e}");
                    break;
            }
        }

        Console.WriteLine($"{target.Name}: {accepted} accepted, {refused} refused, {bad} bad");
        return bad == 0 ? 0 : 1;
    }

    /// <summary>Runs a target on mutations of its corpus.</summary>
    /// <returns>1 where something is wrong.</returns>
    internal static int Mutate(FuzzTarget target, int count, int seed)
    {
        var originals = FilesOf(target.CorpusPath).Select(File.ReadAllBytes).ToList();
        var (accepted, bad) = (0, 0);
        for (var i = 0; i < count; i++)
        {
            var input = Mutator.Mutate(originals[i % originals.Count], seed + i);
            var (isAccepted, e) = Try(target, input);
            accepted += isAccepted ? 1 : 0;
            if (e is not null)
            {
                bad++;
                Write("found", [input]);
                Console.WriteLine($"found/{NameOf(input)}: {e}");
            }
        }

        Console.WriteLine($"{target.Name}: {count} mutations from seed {seed}, {accepted} accepted, {bad} bad");
        return bad == 0 ? 0 : 1;
    }

    private static (bool IsAccepted, Exception? Fault) Try(FuzzTarget target, byte[] input)
    {
        try
        {
            return (Finding.Look(target, input), null);
        }
#pragma warning disable CA1031 // any exception is a finding, and the next file is to be tried all the same
        catch (Exception e)
#pragma warning restore CA1031
        {
            return (false, e);
        }
    }
}
