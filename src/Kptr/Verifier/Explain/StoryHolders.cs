using System.Globalization;

namespace Kptr.Verifier;

/// <summary>
/// Where the reference of a story is: registers and stack slots of each open frame. Stale once it was given back.
/// </summary>
internal sealed class StoryHolders
{
    private readonly HashSet<(int Frame, string Place)> _places = [];

    /// <summary>
    /// Whether each open frame was entered by a call of the program, and not by a helper that calls back;
    /// the main frame is not in it.
    /// </summary>
    private readonly Stack<bool> _frames = [];

    public int Frame => _frames.Count;

    public bool Any => _places.Count > 0;

    /// <summary>The first of a call's arguments that holds the reference; 0 where none does.</summary>
    public int Argument => Enumerable.Range(1, 5).FirstOrDefault(Holds);

    public bool Holds(int reg) => Holds(Name(reg));

    public bool Holds(string place) => _places.Contains((Frame, place));

    /// <summary>A call took it: this is the only holder.</summary>
    /// <param name="place">R0, or what of the frame's stack owns it (an iterator, a dynptr).</param>
    public void Start(string place)
    {
        _places.Clear();
        _places.Add((Frame, place));
    }

    /// <summary>False where the place held it before.</summary>
    public bool Add(string place) => _places.Add((Frame, place));

    /// <summary>The place is written with something else; whether it was the last one.</summary>
    public bool Overwrite(string place) => _places.Remove((Frame, place)) && !Any;

    /// <summary>A call clobbers R0 to R5; whether one of them was the last place.</summary>
    public bool Clobber()
    {
        var had = Any;
        for (var reg = 0; reg <= 5; reg++)
        {
            _places.Remove((Frame, Name(reg)));
        }

        return had && !Any;
    }

    /// <summary>Opens a frame; a call of the program hands R1 to R5 over.</summary>
    public void Enter(bool byCall)
    {
        var args = Enumerable.Range(1, 5).Where(Holds).ToList();
        if (byCall)
        {
            Clobber();
        }

        _frames.Push(byCall);
        foreach (var reg in byCall ? args : [])
        {
            Add(Name(reg));
        }
    }

    /// <summary>Closes a frame; whether the reference was in it alone.</summary>
    public bool Leave(out bool returnsIt)
    {
        var had = Any;
        var wasCall = _frames.Count > 0 && _frames.Peek();
        returnsIt = wasCall && Holds(0);
        var left = Frame;
        _places.RemoveWhere(p => p.Frame == left);
        _frames.TryPop(out _);
        if (returnsIt)
        {
            Add("r0");
        }

        return had && !Any;
    }

    public static string Name(int reg) => "r" + reg.ToString(CultureInfo.InvariantCulture);
}
