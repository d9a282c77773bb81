using System.Globalization;

namespace Kptr.Soundness;

/// <summary>
/// Writes random programs that look like what the verifier gets to see: fragments that are mostly right, in random
/// order and nested, and now and then a slip. Many are refused; the point is what is accepted.
/// </summary>
internal sealed partial class ProgGenerator
{
    private const int StackBytesMax = 448;
    private const int FragmentsMax = 14;
    private static readonly string[] Sections = ["tc", "tc", "syscall", "tp_btf/task_newtask", "cgroup_skb/egress"];
    private readonly Random _random;
    private readonly List<List<string>> _functions = [];
    private List<string> _lines = [];
    private Kind[] _regs = new Kind[10];
    private int _stackBytes;
    private int _labels;
    private int _nesting;
    private int _fragmentsLeft;
    private bool _isLocked;
    private bool _isWrong;
    private string _section = "";
    private readonly ProgBase _base;
    private readonly ProgFaults _faults;

    private ProgGenerator(Random random, ProgBase on)
    {
        _random = random;
        _faults = new(random);
        _base = on;
    }

    /// <summary>Whether programs are about who owns what: more kinds of owners, and more faults.</summary>
    private bool IsAboutOwners => _base == ProgBase.Ownership;

    /// <summary>What a register holds, as far as the generator minds.</summary>
    private enum Kind
    {
        /// <summary>Nothing, or nobody knows what.</summary>
        None,
        Scalar,
        Context,

        /// <summary>Something that a fragment further out still needs.</summary>
        Kept,
    }

    /// <summary>One program, of calls that all have a body in the model.</summary>
    internal static GeneratedProgram Generate(int seed) => new ProgGenerator(new Random(seed), ProgBase.Maps).Make();

    /// <summary>One program about who owns what; a third of them are wrong on purpose.</summary>
    internal static GeneratedProgram GenerateOwnership(int seed) =>
        new ProgGenerator(new Random(seed), ProgBase.Ownership).Make();

    private GeneratedProgram Make()
    {
        _isWrong = IsAboutOwners && Chance(3);
        _section = Pick(IsAboutOwners ? OwnerSections : Sections);
        _fragmentsLeft = 2 + _random.Next(IsAboutOwners ? OwnerFragmentsMax : FragmentsMax);
        Emit("r6 = r1");
        _regs[1] = Kind.None;
        _regs[6] = Kind.Context;
        while (_fragmentsLeft > 0)
        {
            Fragment();
        }

        Emit(_section == "tc" && Chance(3) ? $"r0 = {_random.Next(-1, 8)}" : "r0 = 0");
        Emit("exit");
        var lines = _functions.Prepend(_lines).SelectMany(f => f).ToList();
        if (IsAboutOwners)
        {
            for (var faults = _isWrong ? 1 + (_random.Next(3) / 2) : 0; faults > 0; faults--)
            {
                _faults.Spoil(lines);
            }
        }
        else
        {
            for (var slips = Chance(7) ? 1 + _random.Next(2) : 0; slips > 0; slips--)
            {
                _faults.Slip(lines);
            }
        }

        return new(_section, [.. lines]) { Base = _base };
    }

    private void Fragment()
    {
        _fragmentsLeft--;
        if (IsAboutOwners && _nesting <= 3 && TryOwnerFragment())
        {
            return;
        }

        switch (_random.Next(_nesting > 3 ? 8 : 22))
        {
            case < 4:
                Arithmetic();
                break;
            case 4:
                Spill();
                break;
            case 5:
                Convert();
                break;
            case 6:
                Clamp();
                break;
            case 7:
                StackAccess();
                break;
            case < 11:
                Branch();
                break;
            case 11:
                Loop();
                break;
            case < 14:
                MapAccess();
                break;
            case 14:
                CallFunction();
                break;
            case 15:
                Packet();
                break;
            default:
                Owned();
                break;
        }
    }

    private void Block(int most)
    {
        _nesting++;
        for (var n = _random.Next(most + 1); n > 0; n--)
        {
            Fragment();
        }

        _nesting--;
    }

    /// <summary>What both ways of a branch leave; registers that differ are unknown.</summary>
    private void MergeRegs(Kind[] other)
    {
        for (var i = 0; i < _regs.Length; i++)
        {
            _regs[i] = _regs[i] == other[i] ? _regs[i] : Kind.None;
        }
    }

    private void Emit(string line) => _lines.Add(line);

    private void EmitCall(string name, bool returnsScalar = false)
    {
        Emit($"call {name}");
        for (var i = 1; i <= 5; i++)
        {
            _regs[i] = Kind.None;
        }

        _regs[0] = returnsScalar ? Kind.Scalar : Kind.None;
    }

    private string NewLabel() => string.Create(CultureInfo.InvariantCulture, $"l{_labels++}");

    private bool Chance(int oneIn) => _random.Next(oneIn) == 0;

    /// <summary>Whether to do something wrong; of programs about owners, only those are that are to be.</summary>
    private bool Errs(int oneIn) => Chance(oneIn) && (!IsAboutOwners || _isWrong);

    private T Pick<T>(params ReadOnlySpan<T> of) => of[_random.Next(of.Length)];

    /// <summary>A callee-saved register that nobody needs, now kept; 0 where there is none.</summary>
    private int Keep()
    {
        int[] free = [.. Enumerable.Range(7, 3).Where(r => _regs[r] != Kind.Kept)];
        if (free.Length == 0)
        {
            return 0;
        }

        var reg = Pick<int>(free);
        _regs[reg] = Kind.Kept;
        return reg;
    }

    private void Drop(int reg) => _regs[reg] = Kind.None;

    /// <summary>Bytes of the stack that nobody else uses, or that somebody does where it is full.</summary>
    private int Stack(int sizeBytes)
    {
        if (_stackBytes + sizeBytes > StackBytesMax)
        {
            return -8 * _random.Next((sizeBytes + 7) / 8, 56);
        }

        _stackBytes += (sizeBytes + 7) & ~7;
        return -_stackBytes;
    }

    private void EmitAddress(int reg, int stackOff)
    {
        Emit($"r{reg} = r10");
        Emit($"r{reg} += {stackOff}");
    }
}
