using Kptr.Tests.Shared;

namespace Kptr.Repo.Tests;

/// <summary>The source tree this assembly was built from.</summary>
internal static class Repo
{
    public static string Root { get; } = RepoRoot.Path;

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
}
