using Kptr.Cli.Output;
using Kptr.Tracing;

namespace Kptr.Cli.Run;

/// <summary>Lets what happens on this machine happen in a session's model, until it is told to stop.</summary>
internal sealed class LiveRun : IDisposable
{
    private readonly RunSession _session;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConsoleCancelEventHandler _interrupt;

    public LiveRun(RunSession session)
    {
        _session = session;

        // An interrupt ends the following and not the tool, which says what it saw.
        _interrupt = (_, e) =>
        {
            e.Cancel = true;
            _stop.Cancel();
        };
        Console.CancelKeyPress += _interrupt;
    }

    /// <param name="how">By <c>trace</c> or <c>proc</c>; null for the first that is permitted.</param>
    /// <param name="time">How long, as on the command line; null until interrupted.</param>
    public void Follow(string? how, string? time)
    {
        using var trace = how == "proc" ? null : TryTrace(isWanted: how == "trace");
        if (time is not null && DurationOption.TryParse(time, out var length))
        {
            _stop.CancelAfter(length);
        }

        if (trace is null)
        {
            _session.Followed = new LiveProc(_session.Kernel).Run(_stop.Token);
            return;
        }

        // What the trace tells of the time before the machine was read is in what was read.
        var machine = _session.MakeMachine(null);
        using var end = _stop.Token.Register(trace.Stop);
        _session.Replay = new TraceReplay(_session.Kernel).Run(
            trace.Reader.Where(e => e.TimestampNs > machine.UptimeNs && e.Name != "tracing_mark_write"));
    }

    public void Dispose()
    {
        Console.CancelKeyPress -= _interrupt;
        _stop.Dispose();
    }

    private static LiveTrace? TryTrace(bool isWanted)
    {
        try
        {
            return LiveTrace.Start();
        }
        catch (Exception e) when (!isWanted && e is (IOException or UnauthorizedAccessException))
        {
            Complaint.Say($"/proc is looked at instead of tracing: {e.Message}");
            return null;
        }
    }
}
