using System.Diagnostics;

namespace Kptr.Repo.Tests;

/// <summary>Samples run as their readers run them, and print what is written down beside them.</summary>
public class SampleTests
{
    public static TheoryData<string> Samples => [.. Directory.GetDirectories(Repo.PathOf("samples"))
        .Where(d => File.Exists(Path.Combine(d, "expected.txt"))).Select(d => Path.GetFileName(d)!)];

    [Theory, MemberData(nameof(Samples))]
    public void Sample_PrintsWhatItsReadersWereTold(string sample)
    {
        var start = new ProcessStartInfo(
            "dotnet", ["run", "--no-build", "--project", Repo.PathOf("samples", sample), "-c", Configuration])
        {
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var printed = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        var expected = Repo.PathOf("samples", sample, "expected.txt");
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_DOCS") == "1")
        {
            File.WriteAllText(expected, printed);
        }

        process.ExitCode.Should().Be(0);
        printed.Should().Be(File.ReadAllText(expected));
    }

    [Fact]
    public void EverySample_SaysWhatItPrints()
    {
        Directory.GetDirectories(Repo.PathOf("samples")).Where(d => Directory.GetFiles(d, "*.csproj").Length > 0)
            .Should().OnlyContain(d => File.Exists(Path.Combine(d, "expected.txt")));
    }

#if DEBUG
    private const string Configuration = "Debug";
#else
    private const string Configuration = "Release";
#endif
}
