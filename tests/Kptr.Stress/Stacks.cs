using Microsoft.Diagnostics.Runtime;

namespace Kptr.Stress;

/// <summary>The managed stacks of another process.</summary>
internal static class Stacks
{
    /// <summary>Prints one stack for each thread that has managed frames.</summary>
    internal static void Print(int processId, TextWriter output)
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
