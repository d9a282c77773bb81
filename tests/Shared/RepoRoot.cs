namespace Kptr.Tests.Shared;

/// <summary>The source tree that the running test assembly was built in.</summary>
internal static class RepoRoot
{
    /// <summary>The folder that holds <c>Kptr.sln</c>.</summary>
    internal static string Path { get; } = Find();

    private static string Find()
    {
        for (var dir = new DirectoryInfo(AppContext.BaseDirectory); dir is not null; dir = dir.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(dir.FullName, "Kptr.sln")))
            {
                return dir.FullName;
            }
        }

        throw new DirectoryNotFoundException("no Kptr.sln above " + AppContext.BaseDirectory);
    }
}
