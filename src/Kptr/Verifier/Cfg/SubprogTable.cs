using System.Collections;

namespace Kptr.Verifier.Cfg;

/// <summary>The functions of a program by rising start; 0 is the entry.</summary>
/// <param name="insnCount">Slots of the whole program.</param>
internal sealed class SubprogTable(int insnCount) : IReadOnlyList<SubprogInfo>
{
    private readonly List<SubprogInfo> _subprogs = [];

    public int Count => _subprogs.Count;

    /// <summary>Index of the exception callback; 0 where there is none.</summary>
    public int ExceptionCallback { get; private set; }

    public SubprogInfo this[int index] => _subprogs[index];

    /// <summary>Index of the function that starts at this instruction, or -1 (<c>find_subprog</c>).</summary>
    public int Find(int insnIdx)
    {
        var at = Containing(insnIdx);
        return at >= 0 && _subprogs[at].Start == insnIdx ? at : -1;
    }

    /// <summary>Index of the function this instruction is in, or -1.</summary>
    public int Containing(int insnIdx)
    {
        int lo = 0, hi = _subprogs.Count - 1;
        if (hi < 0 || insnIdx < 0 || insnIdx >= insnCount)
        {
            return -1;
        }

        while (lo < hi)
        {
            var mid = lo + ((hi - lo + 1) / 2);
            if (_subprogs[mid].Start <= insnIdx)
            {
                lo = mid;
            }
            else
            {
                hi = mid - 1;
            }
        }

        return lo;
    }

    /// <summary>Adds a function in its place, with no end yet. The caller knows that none starts there.</summary>
    public void Add(int start)
    {
        var at = _subprogs.FindIndex(s => s.Start > start);
        _subprogs.Insert(at < 0 ? _subprogs.Count : at, new SubprogInfo { Start = start });
    }

    /// <summary>Ends each function where the next starts, once all are added.</summary>
    public void Close(int exceptionStart)
    {
        for (var i = 0; i < _subprogs.Count; i++)
        {
            _subprogs[i].End = i + 1 < _subprogs.Count ? _subprogs[i + 1].Start : insnCount;
        }

        if (exceptionStart > 0)
        {
            ExceptionCallback = Find(exceptionStart);
            var cb = _subprogs[ExceptionCallback];
            cb.IsCallback = cb.IsAsyncCallback = cb.IsExceptionCallback = true;
        }
    }

    public IEnumerator<SubprogInfo> GetEnumerator() => _subprogs.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
