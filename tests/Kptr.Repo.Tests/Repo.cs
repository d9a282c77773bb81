using System.Runtime.CompilerServices;

namespace Kptr.Repo.Tests;

/// <summary>The source tree this assembly was built from.</summary>
internal static class Repo
{
    public static string Root { get; } = FindRoot();

    /// <summary>The folders our C# stands in.</summary>
    public static string[] CodeFolders { get; } = ["src", "tests", "samples"];

    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Source files below a folder, build output left out; paths are relative to the root, with '/'.</summary>
    public static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.Exists(PathOf(folder))
            ? Directory.EnumerateFiles(PathOf(folder), pattern, SearchOption.AllDirectories)
                .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
                .Where(f => !f.Split('/').Any(p => p is "bin" or "obj"))
                .Order(StringComparer.Ordinal)
            : [];

    private static string FindRoot([CallerFilePath] string here = "")
    {
        for (var at = Path.GetDirectoryName(here); at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(Path.Combine(at, "Kptr.sln")))
            {
                return at;
            }
        }

        throw new InvalidOperationException("Kptr.sln is not above " + here);
    }
}
