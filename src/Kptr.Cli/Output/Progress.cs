using System.Diagnostics;

namespace Kptr.Cli.Output;

/// <summary>
/// How far a long job is, on one line of standard error that comes and goes: where that is a terminal and the output
/// goes elsewhere, so that nothing else is written there meanwhile.
/// </summary>
internal sealed class Progress : IDisposable
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);
    private readonly bool _isShown = Console.IsOutputRedirected && !Console.IsErrorRedirected;
    private readonly Stopwatch _sinceShown = Stopwatch.StartNew();
    private int _columns;

    /// <summary>Whether it is time to say something new, where anything is shown.</summary>
    public bool IsDue()
    {
        if (!_isShown || _sinceShown.Elapsed < Between)
        {
            return false;
        }

        _sinceShown.Restart();
        return true;
    }

    /// <summary>Takes the line away, before anything else is written.</summary>
    public void Clear()
    {
        if (_columns > 0)
        {
            Show("");
        }
    }

    public void Dispose() => Clear();

    public void Show(string text)
    {
        Console.Error.Write($"\r{text.PadRight(_columns)}\r{text}");
        _columns = text.Length;
    }
}
