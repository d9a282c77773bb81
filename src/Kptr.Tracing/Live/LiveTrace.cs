using System.Globalization;

namespace Kptr.Tracing;

/// <summary>A running machine's own trace of its tasks, read while it happens; needs root or as much.</summary>
/// <remarks>
/// <para>
/// It traces in an instance of its own (<c>instances/kptr-PID-N</c>), which goes with it, and leaves the machine's
/// other tracing as it is. Events are those that <see cref="TraceReplay"/> acts on, on the clock that counts from boot,
/// which is that of <see cref="ProcSnapshot.UptimeNs"/>.
/// </para>
/// <para>One thread reads <see cref="Reader"/>; any thread may stop it.</para>
/// </remarks>
public sealed class LiveTrace : IDisposable
{
    private static readonly string[] s_events =
    [
        "task/task_newtask", "task/task_rename", "sched/sched_process_fork", "sched/sched_process_exec",
        "sched/sched_process_exit", "sched/sched_process_free", "cgroup/cgroup_attach_task",
    ];

    private static int s_count;
    private readonly string _instance;
    private readonly CancellationTokenSource _stop;
    private int _isStopped;

    private LiveTrace(string instance, TraceReader reader, CancellationTokenSource stop)
    {
        _instance = instance;
        _stop = stop;
        Reader = reader;
    }

    /// <summary>
    /// The events as they come. It waits for the next one, and ends once <see cref="Stop"/> was called.
    /// </summary>
    public TraceReader Reader { get; }

    /// <summary>Begins to trace.</summary>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="UnauthorizedAccessException">Tracing is not permitted.</exception>
    /// <exception cref="IOException">There is no trace file system there, or it lacks an event.</exception>
    public static LiveTrace Start(LiveTraceOptions? options = null)
    {
        options ??= new();
        ArgumentException.ThrowIfNullOrEmpty(options.Tracefs, "options.Tracefs");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.BufferKiB, 1, "options.BufferKiB");
        var instances = Path.Combine(options.Tracefs, "instances");
        if (!Directory.Exists(instances))
        {
            throw new DirectoryNotFoundException($"{instances}: there is no trace file system, or it is hidden");
        }

        var number = Interlocked.Increment(ref s_count);
        var instance = Path.Combine(
            instances, string.Create(CultureInfo.InvariantCulture, $"kptr-{Environment.ProcessId}-{number}"));
        Directory.CreateDirectory(instance);
        var stop = new CancellationTokenSource();
        try
        {
            Write(instance, "trace_clock", "boot");
            Write(instance, "buffer_size_kb", options.BufferKiB.ToString(CultureInfo.InvariantCulture));
            foreach (var name in s_events.Concat(options.HasSwitches ? ["sched/sched_switch"] : []))
            {
                Write(instance, $"events/{name}/enable", "1");
            }

            var pipe = Path.Combine(instance, "trace_pipe");
            var stream = new FileStream(pipe, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1);
            return new(instance, TraceReader.Open(
                new PacedStream(stream, stop.Token), pipe,
                new() { Format = TraceFormat.Ftrace, SkipsBadLines = true }), stop);
        }
        catch
        {
            stop.Dispose();
            Remove(instance);
            throw;
        }
    }

    /// <summary>Stops tracing: the reader ends behind what has happened until now.</summary>
    public void Stop()
    {
        if (Interlocked.Exchange(ref _isStopped, 1) != 0)
        {
            return;
        }

        // A reader that waits for its first event does not notice that tracing is off, so there is one.
        Write(_instance, "trace_marker", "kptr stops");
        Write(_instance, "tracing_on", "0");
        _stop.Cancel();
    }

    /// <summary>Stops, closes the reader and takes the instance away.</summary>
    public void Dispose()
    {
        try
        {
            Stop();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody took the instance away.
        }

        Reader.Dispose();
        _stop.Dispose();
        Remove(_instance);
    }

    /// <summary>Where it traces.</summary>
    public override string ToString() => $"trace of this machine in {_instance}";

    private static void Write(string instance, string file, string text) =>
        File.WriteAllText(Path.Combine(instance, file), text);

    // The files in it are the kernel's; the folder goes as a whole.
    private static void Remove(string instance)
    {
        try
        {
            Directory.Delete(instance);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It stays until it is taken away by hand: rmdir.
        }
    }
}
