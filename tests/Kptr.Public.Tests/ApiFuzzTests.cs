using System.Diagnostics;

namespace Kptr.Public.Tests;

/// <summary>A few seconds of the fuzz of the public surface; a night of it is <c>Kptr.ApiFuzz --minutes</c>.</summary>
public class ApiFuzzTests
{
    [Fact]
    public void EveryPublicMember_WithAnyArguments_AnswersAsDocumented()
    {
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList =
            {
                Path.Combine(AppContext.BaseDirectory, "Kptr.ApiFuzz.dll"), "--seconds", "8", "--seed",
                "1", "--calls", "2000",
            },
            RedirectStandardOutput = true,
        };
        using var fuzz = Process.Start(start)!;
        var output = fuzz.StandardOutput.ReadToEnd();
        fuzz.WaitForExit();
        fuzz.ExitCode.Should().Be(0, output);
    }
}
