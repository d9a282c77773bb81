using System.Text;
using Kptr.Tests.Shared;

namespace Kptr.Fuzz;

/// <summary>Files of the repository that seeds are made of.</summary>
internal static class SeedFiles
{
    /// <summary>Our objects under <c>tests/data</c>.</summary>
    internal static IEnumerable<byte[]> Objects() => Under("*.bpf.o", "elf", "run").Select(File.ReadAllBytes);

    /// <summary>A section of an object; null where it has none of that name.</summary>
    internal static byte[]? Section(byte[] elf, string name)
    {
        var headers = (int)BitConverter.ToInt64(elf, 0x28);
        var count = BitConverter.ToUInt16(elf, 0x3c);
        var names = Header(BitConverter.ToUInt16(elf, 0x3e));
        return Enumerable.Range(0, count)
            .Select(Header)
            .FirstOrDefault(h => NameAt(names.Off + h.Name) == name) is { Size: > 0 } found
            ? elf.AsSpan(found.Off, found.Size).ToArray()
            : null;

        (int Name, int Off, int Size) Header(int index)
        {
            var at = headers + (64 * index);
            return (BitConverter.ToInt32(elf, at), (int)BitConverter.ToInt64(elf, at + 0x18),
                (int)BitConverter.ToInt64(elf, at + 0x20));
        }

        string NameAt(int at) => Encoding.ASCII.GetString(elf.AsSpan(at, elf.AsSpan(at).IndexOf((byte)0)));
    }

    /// <summary>
    /// A part of each golden program under <c>tests/data/verifier</c>: what stands between <c>-- name</c> and the next.
    /// </summary>
    internal static IEnumerable<string> GoldenParts(string name) => Under("*.txt", "verifier").Select(File.ReadAllText)
        .Select(t => t.Split($"\n-- {name}\n")).Where(p => p.Length > 1).Select(p => p[1].Split("\n-- ")[0]);

    private static IEnumerable<string> Under(string pattern, params string[] folders) => folders
        .SelectMany(f => Directory.GetFiles(
            Path.Combine(RepoRoot.Path, "tests", "data", f), pattern, SearchOption.AllDirectories))
        .Order(StringComparer.Ordinal);
}
