namespace Kptr.Stress;

/// <summary>One thread of a round: does one thing again and again, and says what it is at.</summary>
internal sealed class Worker
{
    private readonly Action<Worker> _body;
    private readonly Func<bool> _isOver;
    private readonly Thread _thread;
    private long _steps;
    private volatile string _at = "not begun";
    private volatile Exception? _failure;

    internal Worker(string name, int seed, Func<bool> isOver, Action<Worker> body)
    {
        Name = name;
        Random = new Random(seed);
        _isOver = isOver;
        _body = body;
        _thread = new Thread(Loop) { IsBackground = true, Name = name };
        _thread.Start();
    }

    internal string Name { get; }

    internal Random Random { get; }

    /// <summary>Steps begun so far.</summary>
    internal long Steps => Interlocked.Read(ref _steps);

    /// <summary>What it does now.</summary>
    internal string At => _at;

    internal Exception? Failure => _failure;

    internal bool IsEnded => !_thread.IsAlive;

    /// <summary>Notes what comes next.</summary>
    internal void Step(string what)
    {
        _at = what;
        Interlocked.Increment(ref _steps);
    }

    private void Loop()
    {
        try
        {
            while (!_isOver())
            {
                _body(this);
            }

            _at = "ended";
        }
        catch (Exception e)
        {
            _failure = e;
        }
    }
}
