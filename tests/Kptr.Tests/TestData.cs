using Kptr.Tests.Shared;

namespace Kptr.Tests;

/// <summary>Files of the repository that tests read.</summary>
internal static class TestData
{
    /// <summary>The repository's root folder.</summary>
    internal static string Root { get; } = RepoRoot.Path;

    /// <summary>A file or folder under <c>tests/data</c>.</summary>
    internal static string Path(params string[] parts) => System.IO.Path.Combine([Root, "tests", "data", .. parts]);
}
