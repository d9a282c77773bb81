namespace Kptr.Repo.Tests;

/// <summary>The solution builds everything: what is not in it is not tested.</summary>
public class SolutionTests
{
    // The first needs a browser and its driver, some 200 MB: .ci/checks/page builds and runs it. The other judges
    // mutants and is no test: tests/mutation/mutate.sh builds it.
    private static readonly string[] s_apart =
        ["tests/Kptr.Page.Tests/Kptr.Page.Tests.csproj", "tests/mutation/Judge/Judge.csproj"];

    [Fact]
    public void EveryProject_IsBuiltByTheSolution()
    {
        var solution = File.ReadAllText(Repo.PathOf("Kptr.sln"));
        foreach (var project in Repo.CodeFolders.SelectMany(top => Repo.Files(top, "*.csproj"))
            .Where(p => !s_apart.Contains(p)))
        {
            var line = solution.Split('\n').FirstOrDefault(
                l => l.Contains($"\"{project.Replace('/', '\\')}\"", StringComparison.Ordinal));
            line.Should().NotBeNull($"{project} is in the solution");
            var id = line!.Split('"')[^2];
            solution.Should().Contain($"{id}.Debug|Any CPU.Build.0", $"{project} is built");
        }
    }
}
