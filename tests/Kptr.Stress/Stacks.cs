using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Diagnostics.Runtime;

namespace Kptr.Stress;

/// <summary>The managed stacks of another process.</summary>
internal static class Stacks
{
    /// <summary>Prints one stack for each thread that has managed frames.</summary>
    /// <remarks>
    /// Where the runtime came without its debugger's library, the tool dotnet-stack is asked, if it is on the path.
    /// </remarks>
    internal static void Print(int processId, TextWriter output)
    {
        try
        {
            PrintAttached(processId, output);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            output.WriteLine($"no debugger's library: {e.Message}");
            PrintByTool(processId, output);
        }
    }

    private static void PrintByTool(int processId, TextWriter output)
    {
        try
        {
            using var tool = Process.Start(new ProcessStartInfo("dotnet-stack")
            {
                ArgumentList = { "report", "-p", $"{processId}" },
                RedirectStandardOutput = true,
            });
            output.WriteLine(tool!.StandardOutput.ReadToEnd());
        }
        catch (Win32Exception)
        {
            output.WriteLine("nor the tool dotnet-stack: no stacks");
        }
    }

    private static void PrintAttached(int processId, TextWriter output)
    {
        using var target = DataTarget.AttachToProcess(processId, suspend: true);
        using var runtime = target.ClrVersions[0].CreateRuntime();
        foreach (var thread in runtime.Threads.Where(t => t.IsAlive))
        {
            var frames = thread.EnumerateStackTrace().Select(f => f.Method?.Signature).OfType<string>().ToList();
            if (frames.Count > 0)
            {
                output.WriteLine($"thread {thread.ManagedThreadId}");
                frames.ForEach(f => output.WriteLine($"    {f}"));
            }
        }
    }
}
