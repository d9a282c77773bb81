using System.Diagnostics;

namespace Kptr.Public.Tests;

/// <summary>
/// Four children of the fuzz of the public surface, on one thread, so that every run makes the same calls; a night of
/// it, from several threads, is <c>Kptr.ApiFuzz --minutes</c>.
/// </summary>
public class ApiFuzzTests
{
    [Fact]
    public void EveryPublicMember_WithAnyArguments_AnswersAsDocumented()
    {
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList =
            {
                Path.Combine(AppContext.BaseDirectory, "Kptr.ApiFuzz.dll"), "--seconds", "120", "--seed", "1",
                "--calls", "2000", "--threads", "1", "--children", "4",
            },
            RedirectStandardOutput = true,
        };
        using var fuzz = Process.Start(start)!;
        var output = fuzz.StandardOutput.ReadToEnd();
        fuzz.WaitForExit();
        fuzz.ExitCode.Should().Be(0, output);
    }
}
