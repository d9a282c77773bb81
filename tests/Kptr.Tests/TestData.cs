namespace Kptr.Tests;

/// <summary>Files of the repository that tests read.</summary>
internal static class TestData
{
    /// <summary>The repository's root folder.</summary>
    internal static string Root { get; } = FindRoot();

    /// <summary>A file or folder under <c>tests/data</c>.</summary>
    internal static string Path(params string[] parts) => System.IO.Path.Combine([Root, "tests", "data", .. parts]);

    private static string FindRoot()
    {
        for (var dir = new DirectoryInfo(AppContext.BaseDirectory); dir is not null; dir = dir.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(dir.FullName, "Kptr.sln")))
            {
                return dir.FullName;
            }
        }

        throw new DirectoryNotFoundException("no Kptr.sln above the tests");
    }
}
