namespace Kptr.Repo.Tests;

/// <summary>
/// The public API, one text file a namespace in Api/: a change of it is seen in review.
/// <c>KPTR_UPDATE_API=1 dotnet test tests/Kptr.Repo.Tests</c> writes the files anew.
/// </summary>
public class PublicApiTests
{
    private static string ApiFolder => Repo.PathOf("tests", "Kptr.Repo.Tests", "Api");

    [Fact]
    public void PublicApi_EqualsItsBaseline()
    {
        var now = PublicApi.Describe(typeof(Btf.BtfSpec).Assembly);
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_API") == "1")
        {
            Write(now);
        }

        var baseline = Directory.GetFiles(ApiFolder, "*.txt").Select(f => Path.GetFileNameWithoutExtension(f)!);
        baseline.Should().BeEquivalentTo(now.Keys);
        foreach (var (ns, text) in now)
        {
            File.ReadAllText(Path.Combine(ApiFolder, ns + ".txt")).Should().Be(text, $"the public API of {ns} is written down");
        }
    }

    private static void Write(SortedDictionary<string, string> now)
    {
        Directory.CreateDirectory(ApiFolder);
        foreach (var old in Directory.GetFiles(ApiFolder, "*.txt"))
        {
            File.Delete(old);
        }

        foreach (var (ns, text) in now)
        {
            File.WriteAllText(Path.Combine(ApiFolder, ns + ".txt"), text);
        }
    }
}
