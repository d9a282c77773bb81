namespace Kptr.Testing.Schedules;

/// <summary>What a schedule can do at a point.</summary>
internal enum OptionKind : byte
{
    /// <summary>The thread goes on; a store reaches memory; nothing fails.</summary>
    Continue,

    /// <summary>Another thread runs instead.</summary>
    Switch,

    /// <summary>An interrupt runs on top of the thread.</summary>
    Interrupt,

    /// <summary>The store stays in the thread's store buffer.</summary>
    Hold,

    /// <summary>What asked whether it should fail, fails.</summary>
    Fail,
}

/// <summary>One of the things that can happen at a point.</summary>
/// <param name="Kind">What.</param>
/// <param name="Target">To which thread, or which interrupt.</param>
internal readonly record struct Option(OptionKind Kind, int Target);

/// <summary>How often a schedule may do what costs.</summary>
internal record struct Budgets(int Preemptions, int Interrupts, int HeldStores, int Faults);

/// <summary>Chooses what happens next.</summary>
internal interface IChooser
{
    /// <summary>The index of the option that happens.</summary>
    /// <param name="thread">Whose turn it is; -1 at the start.</param>
    /// <param name="step">Its step.</param>
    /// <param name="options">What is possible, at least two.</param>
    /// <param name="state">Hash of everything that has happened, without the order of what is independent.</param>
    /// <param name="asleep">Threads that were left out, a bit each.</param>
    int Choose(int thread, int step, List<Option> options, ulong state, int asleep);

    /// <summary>
    /// Whether all schedules are gone through, so that those that differ from others in nothing can be left out.
    /// </summary>
    bool IsExhaustive => false;

    /// <summary>What follows was gone through in another order of what is independent.</summary>
    void Cut()
    {
    }
}

/// <summary>A choice that is not the usual one, by the place where it is made.</summary>
internal readonly record struct Turn(int Thread, int Step, Option Option)
{
    private static readonly string Marks = ".>!~?";

    /// <summary><c>0.12&gt;1</c>: thread 0, at its step 12, gives way to thread 1.</summary>
    public override string ToString() => $"{Thread}.{Step}{Marks[(int)Option.Kind]}{Option.Target}";

    internal static Turn Parse(string text)
    {
        var mark = text.IndexOfAny(['>', '!', '~', '?']);
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0 || mark <= dot
            || !int.TryParse(text.AsSpan(0, dot), out var thread)
            || !int.TryParse(text.AsSpan(dot + 1, mark - dot - 1), out var step)
            || !int.TryParse(text.AsSpan(mark + 1), out var target))
        {
            throw new FormatException($"'{text}' is no turn of a schedule, such as 0.12>1");
        }

        return new(thread, step, new((OptionKind)Marks.IndexOf(text[mark], StringComparison.Ordinal), target));
    }
}

/// <summary>Goes the way of given turns, and the usual way elsewhere.</summary>
internal sealed class Given(IEnumerable<Turn> turns) : IChooser
{
    private readonly HashSet<Turn> _turns = [.. turns];

    public int Choose(int thread, int step, List<Option> options, ulong state, int asleep)
    {
        for (var i = 0; i < options.Count; i++)
        {
            if (_turns.Contains(new(thread, step, options[i])))
            {
                return i;
            }
        }

        return 0;
    }
}

/// <summary>All choices, one after the other; states that were seen are not gone through again.</summary>
internal sealed class DepthFirst : IChooser
{
    private readonly List<(int Count, int Chosen)> _stack = [];
    private readonly HashSet<ulong> _seen = [];
    private readonly List<ulong> _fresh = [];
    private int _depth;
    private int _given;
    private bool _isSeen;

    /// <summary>The run did not come by where it came by before.</summary>
    internal bool HasDiverged { get; private set; }

    public bool IsExhaustive => true;

    public void Cut() => _isSeen = true;

    internal void Begin(bool isAgain)
    {
        if (isAgain)
        {
            _stack.RemoveRange(_given, _stack.Count - _given);
        }

        (_depth, _given, _isSeen, HasDiverged) = (0, _stack.Count, false, false);
        _fresh.Clear();
    }

    /// <summary>Turns to the next schedule; false where there is none.</summary>
    internal bool Next()
    {
        _seen.UnionWith(_fresh);
        while (_stack.Count > 0)
        {
            var (count, chosen) = _stack[^1];
            if (chosen + 1 < count)
            {
                _stack[^1] = (count, chosen + 1);
                return true;
            }

            _stack.RemoveAt(_stack.Count - 1);
        }

        return false;
    }

    public int Choose(int thread, int step, List<Option> options, ulong state, int asleep)
    {
        if (_depth < _given)
        {
            var (count, chosen) = _stack[_depth++];
            HasDiverged |= count != options.Count;
            return Math.Min(chosen, options.Count - 1);
        }

        if (_isSeen || IsSeen(state, asleep))
        {
            _isSeen = true;
            return 0;
        }

        _fresh.Add(With(state, asleep));
        _stack.Add((options.Count, 0));
        _depth++;
        return 0;
    }

    // With fewer asleep, more was gone through.
    private bool IsSeen(ulong state, int asleep)
    {
        for (var fewer = asleep; ; fewer = (fewer - 1) & asleep)
        {
            if (_seen.Contains(With(state, fewer)))
            {
                return true;
            }

            if (fewer == 0)
            {
                return false;
            }
        }
    }

    private static ulong With(ulong state, int asleep) => state ^ ((ulong)asleep * 0x9E3779B97F4A7C15);
}

/// <summary>
/// Random priorities: the thread of the highest one runs, and at a few random points its priority falls below all
/// others (probabilistic concurrency testing).
/// </summary>
internal sealed class ByPriority : IChooser
{
    private const int RareOneIn = 8;
    private readonly Random _random;
    private readonly int[] _priorities;
    private readonly HashSet<int> _falls = [];
    private int _points;
    private int _lowest;

    /// <summary>For one schedule.</summary>
    /// <param name="seed">Where the priorities come from.</param>
    /// <param name="length">About how many points a schedule has.</param>
    /// <param name="falls">How often a priority falls.</param>
    internal ByPriority(int seed, int length, int falls)
    {
        _random = new(seed);
        _priorities = Enumerable.Range(1, ScheduledThread.ThreadsMax).ToArray();
        _random.Shuffle(_priorities);
        for (var i = 0; i < falls; i++)
        {
            _falls.Add(_random.Next(Math.Max(1, length)));
        }
    }

    public int Choose(int thread, int step, List<Option> options, ulong state, int asleep)
    {
        var isFalling = _falls.Contains(_points++);
        if (options[^1].Kind is OptionKind.Hold or OptionKind.Fail)
        {
            return _random.Next(RareOneIn) == 0 ? 1 : 0;
        }

        if (isFalling && thread >= 0)
        {
            _priorities[thread] = --_lowest;
        }

        var best = 0;
        var highest = int.MinValue;
        for (var i = 0; i < options.Count; i++)
        {
            if (options[i].Kind == OptionKind.Interrupt)
            {
                if (isFalling && _random.Next(2) == 0)
                {
                    return i;
                }

                continue;
            }

            var priority = _priorities[options[i].Kind == OptionKind.Continue ? thread : options[i].Target];
            (best, highest) = priority > highest ? (i, priority) : (best, highest);
        }

        return best;
    }
}
