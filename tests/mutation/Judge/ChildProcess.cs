using System.Diagnostics;

namespace Kptr.Mutation;

/// <summary>The judge's end of a <see cref="Child"/>.</summary>
internal sealed class ChildProcess : IDisposable
{
    private readonly Process _process;

    public ChildProcess(string folder, string classes, int mutant = Child.None)
    {
        var start = new ProcessStartInfo(
            "dotnet", [typeof(ChildProcess).Assembly.Location, "child", folder, classes, $"{mutant}"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x80000000"; // a mutant may allocate without end
        start.Environment["DOTNET_TieredPGO"] = "0";
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        CaseCount = int.Parse(Answer(60_000) ?? "0", System.Globalization.CultureInfo.InvariantCulture);
    }

    public int CaseCount { get; }

    /// <returns>The answer, or <see langword="null"/> where the process ended or gave none in time.</returns>
    public string? Ask(string line, int limit)
    {
        try
        {
            _process.StandardInput.WriteLine(line);
            return Answer(limit);
        }
        catch (IOException)
        {
            return null;
        }
    }

    public bool HasEnded => _process.WaitForExit(2000);

    public void Dispose()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // it has ended
        }

        _process.Dispose();
    }

    private string? Answer(int limit)
    {
        var line = _process.StandardOutput.ReadLineAsync();
        return line.Wait(limit) ? line.Result : null;
    }
}
