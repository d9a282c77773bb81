using System.Globalization;

namespace Kptr.Soundness;

/// <summary>
/// A program that is being written: its lines, function by function, what its registers and its stack hold there, and
/// the numbers that decide how it goes on.
/// </summary>
/// <param name="random">Decides.</param>
/// <param name="on">What the program stands on.</param>
internal sealed class ProgText(Random random, ProgBase on)
{
    private const int StackBytesMax = 448;
    private const int NestingMax = 3;
    private readonly List<List<string>> _functions = [];
    private List<string> _lines = [];
    private int _stackBytes;
    private int _labels;
    private int _nesting;

    public Random Random => random;

    public ProgBase Base => on;

    /// <summary>Whether the program is about who owns what: more kinds of owners, and more faults.</summary>
    public bool IsAboutOwners => on == ProgBase.Ownership;

    /// <summary>Of programs about owners: whether this one is to be wrong.</summary>
    public bool IsWrong { get; set; }

    public required Surroundings Around { get; init; }

    /// <summary>Writes any one fragment.</summary>
    public Action Fragment { get; set; } = () => { };

    /// <summary>What R0 to R9 hold.</summary>
    public RegKind[] Regs { get; set; } = new RegKind[10];

    /// <summary>Functions begun so far, beside the program's own.</summary>
    public int FunctionCount => _functions.Count;

    /// <summary>Whether fragments may hold others no more.</summary>
    public bool IsDeep => _nesting > NestingMax;

    /// <summary>All lines: the program's own, then those of its functions.</summary>
    public List<string> Lines => [.. _functions.Prepend(_lines).SelectMany(f => f)];

    public void Emit(string line) => _lines.Add(line);

    public string NewLabel() => string.Create(CultureInfo.InvariantCulture, $"l{_labels++}");

    /// <summary>Some fragments inside of another.</summary>
    public void Block(int most)
    {
        _nesting++;
        for (var n = random.Next(most + 1); n > 0; n--)
        {
            Fragment();
        }

        _nesting--;
    }

    /// <summary>A function, behind all others.</summary>
    public void Function(string name, Action body)
    {
        var (lines, regs, stack, nesting) = (_lines, Regs, _stackBytes, _nesting);
        _functions.Add(_lines = [$"{name}:"]);
        (Regs, _stackBytes, _nesting) = (new RegKind[10], 0, Math.Max(_nesting, 2));
        body();
        Emit("exit");
        (_lines, Regs, _stackBytes, _nesting) = (lines, regs, stack, nesting);
    }

    /// <summary>Bytes of the stack that nobody else uses, or that somebody does where it is full.</summary>
    public int Stack(int sizeBytes)
    {
        if (_stackBytes + sizeBytes > StackBytesMax)
        {
            return -8 * random.Next((sizeBytes + 7) / 8, 56);
        }

        _stackBytes += (sizeBytes + 7) & ~7;
        return -_stackBytes;
    }
}
