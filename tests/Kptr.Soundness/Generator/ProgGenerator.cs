namespace Kptr.Soundness;

/// <summary>
/// Writes random programs that look like what the verifier gets to see: fragments that are mostly right, in random
/// order and nested, and now and then a slip. Many are refused; the point is what is accepted.
/// </summary>
internal sealed class ProgGenerator : FragmentWriter
{
    private const int FragmentsMax = 14;
    private const int OwnerFragmentsMax = 9;
    private static readonly string[] Sections = ["tc", "tc", "syscall", "tp_btf/task_newtask", "cgroup_skb/egress"];

    private static readonly string[] OwnerSections = [
        "tc", "tc", "syscall", "syscall", "tp_btf/task_newtask", "tp_btf/task_newtask", "cgroup_skb/egress", "xdp",
        "fentry/bpf_fentry_test1", "lsm/file_open", "lsm.s/file_open", "iter/task",
    ];

    private readonly NumberFragments _numbers;
    private readonly MemoryFragments _memory;
    private readonly LoopFragments _loops;
    private readonly FunctionFragments _functions;
    private readonly SectionFragments _sections;
    private readonly ReferenceFragments _references;
    private readonly IteratorFragments _iterators;
    private readonly ListFragments _lists;
    private readonly DynptrFragments _dynptrs;
    private readonly OwnerFragments _owners;
    private readonly CallbackFragments _callbacks;
    private readonly ProgFaults _faults;
    private int _fragmentsLeft;

    private ProgGenerator(ProgText text)
        : base(text)
    {
        _faults = new(text.Random);
        _numbers = new(text);
        _memory = new(text);
        _loops = new(text);
        _functions = new(text, _memory);
        _sections = new(text);
        _references = new(text);
        _iterators = new(text, _sections, _references, _loops);
        _lists = new(text, _memory, _references);
        _dynptrs = new(text, _memory, _references);
        _owners = new(text, _memory, _sections, _references, _iterators, _lists);
        _callbacks = new(text, _memory, _functions, _references, _dynptrs);
        text.Fragment = Any;
    }

    /// <summary>One program, of calls that all have a body in the model.</summary>
    internal static GeneratedProgram Generate(int seed) => Make(new Random(seed), ProgBase.Maps);

    /// <summary>One program about who owns what; a third of them are wrong on purpose.</summary>
    internal static GeneratedProgram GenerateOwnership(int seed) => Make(new Random(seed), ProgBase.Ownership);

    private static GeneratedProgram Make(Random random, ProgBase on)
    {
        var isAboutOwners = on == ProgBase.Ownership;
        var isWrong = isAboutOwners && random.Next(3) == 0;
        var sections = isAboutOwners ? OwnerSections : Sections;
        var text = new ProgText(random, on)
        {
            IsWrong = isWrong,
            Around = new(sections[random.Next(sections.Length)]),
        };
        return new ProgGenerator(text).Make();
    }

    private GeneratedProgram Make()
    {
        _fragmentsLeft = 2 + Random.Next(Text.IsAboutOwners ? OwnerFragmentsMax : FragmentsMax);
        Emit("r6 = r1");
        Regs[1] = RegKind.None;
        Regs[6] = RegKind.Context;
        while (_fragmentsLeft > 0)
        {
            Any();
        }

        Emit(Around.Section == "tc" && Chance(3) ? $"r0 = {Random.Next(-1, 8)}" : "r0 = 0");
        Emit("exit");
        var lines = Text.Lines;
        Spoil(lines);
        return new(Around.Section, [.. lines]) { Base = Text.Base };
    }

    private void Spoil(List<string> lines)
    {
        if (Text.IsAboutOwners)
        {
            for (var faults = Text.IsWrong ? 1 + (Random.Next(3) / 2) : 0; faults > 0; faults--)
            {
                _faults.Spoil(lines);
            }
        }
        else
        {
            for (var slips = Chance(7) ? 1 + Random.Next(2) : 0; slips > 0; slips--)
            {
                _faults.Slip(lines);
            }
        }
    }

    private void Any()
    {
        _fragmentsLeft--;
        if (Text.IsAboutOwners && !Text.IsDeep && TryOwner())
        {
            return;
        }

        Action fragment = Random.Next(Text.IsDeep ? 8 : 22) switch
        {
            < 4 => _numbers.Arithmetic,
            4 => _numbers.Spill,
            5 => _numbers.Convert,
            6 => _numbers.Clamp,
            7 => _memory.StackAccess,
            < 11 => _numbers.Branch,
            11 => _loops.Loop,
            < 14 => _memory.MapAccess,
            14 => _functions.CallFunction,
            15 => _memory.Packet,
            _ => Owned,
        };
        fragment();
    }

    private bool TryOwner()
    {
        Action? fragment = Random.Next(44) switch
        {
            < 3 => _owners.OwnNetwork,
            < 6 => _owners.OwnCgroup,
            < 8 => _owners.OwnPercpu,
            < 10 => _owners.OwnTask,
            10 => _owners.OwnItem,
            11 => _owners.OwnKey,
            12 => _owners.OwnFile,
            13 => _owners.BorrowCrypto,
            < 16 => _sections.RcuSection,
            < 18 => _sections.PreemptSection,
            18 => _sections.Sleep,
            19 => _iterators.TaskIterator,
            20 => _iterators.CssIterator,
            21 => _iterators.VmaIterator,
            22 => _iterators.BitsIterator,
            23 => _callbacks.Timer,
            24 => _callbacks.Work,
            25 => _callbacks.Drain,
            26 => _callbacks.FindVma,
            27 => _callbacks.Throw,
            28 => _dynptrs.MemoryDynptr,
            29 => _dynptrs.PacketDynptr,
            30 => _owners.Storage,
            31 => _owners.BorrowPercpu,
            < 34 => _lists.Guarded,
            < 36 => _lists.HandOver,
            36 => _dynptrs.Record,
            37 => _owners.Borrow,
            38 => _functions.CallFunction,
            _ => null,
        };
        if (fragment is null || (Around.IsLocked && !Errs(20)))
        {
            return false;
        }

        fragment();
        return true;
    }

    private void Owned()
    {
        if (Around.IsLocked)
        {
            return;
        }

        Action fragment = Random.Next(7) switch
        {
            0 => _owners.FindTask,
            1 => _owners.AcquireTask,
            2 when Around.Section is "syscall" or "tp_btf/task_newtask" => _owners.OwnMask,
            3 => _lists.OwnItem,
            4 => _lists.Guarded,
            5 => _dynptrs.Record,
            _ => _owners.Borrow,
        };
        fragment();
    }
}
