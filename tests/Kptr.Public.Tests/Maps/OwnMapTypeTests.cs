using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Shared;
using Kptr.Verifier;

namespace Kptr.Public.Tests.Maps;

/// <summary>Programs use map types of a user's own: by a type's number, and by a map's name.</summary>
public class OwnMapTypeTests
{
    private static readonly MapTypeSpec Own = new(1000, "pinned", BpfMapType.Hash);

    [Theory]
    [InlineData(DestroyBehavior.Eager)]
    [InlineData(DestroyBehavior.Recycle)]
    public void Program_OnAMapOfOnesOwnType_KeepsTasksAndGivesThemBack(DestroyBehavior policy)
    {
        using var kernel = Boot(Own, policy);
        using var obj = Open().Load(kernel);
        var map = obj.Maps["own"].Should().BeOfType<PinnedMap>().Subject;
        obj.Maps["plain"].Should().BeOfType<HashMap>();
        using var keep = obj.Programs["keep_in_own"].Attach();
        using var drop = obj.Programs["drop_from_own"].Attach();

        var task = kernel.Tasks.Fork(kernel.Tasks.Init);                 // own holds it
        Seen(map, task).Should().Be(1);
        kernel.Ledger.WhoPins(task).ToString().Should().Contain("map \"own\"");
        var other = kernel.Tasks.Fork(kernel.Tasks.Init);
        kernel.Tasks.Exit(task);                                         // the program deletes the entry
        kernel.Tasks.Reap(task);
        kernel.Quiesce();
        task.IsFreed.Should().Be(policy == DestroyBehavior.Eager, "a recycled value keeps its task until the map ends");
        map.DeleteElem(BitConverter.GetBytes(other.Pid)).Should().Be(Errno.None);
        keep.Dispose();
        drop.Dispose();
        obj.Dispose();
        kernel.Quiesce();
        map.IsFreed.Should().BeTrue();
        task.IsFreed.Should().BeTrue();
        kernel.TakeFaults().Should().BeEmpty();
        kernel.Ledger.AssertNoLeaks();
    }

    [Theory]
    [InlineData("leak", "Unreleased reference")]
    [InlineData("walk", "cannot pass map_type 1000 into func bpf_for_each_map_elem#164")]
    [InlineData("sleeps", "cannot be used by programs that can sleep")]
    public void Program_ThatDoesWhatTheTypeDoesNotAllow_IsRefused(string program, string message)
    {
        using var kernel = Boot(Own);
        var load = () => Open().Load(kernel, p => p.Name == program);
        load.Should().Throw<ProgramRejectedException>().WithMessage($"*{message}*");
        kernel.Quiesce();
        kernel.Ledger.AssertNoLeaks();
    }

    [Theory]
    [InlineData("walk")]
    [InlineData("sleeps")]
    public void Program_ThatDoesWhatTheTypeAllows_IsAccepted(string program)
    {
        var open = Own with { Helpers = Own.Helpers.Add(HelperId.ForEachMapElem), AllowsSleepable = true };
        using var kernel = Boot(open);
        using var obj = Open().Load(kernel, p => p.Name == program);
        obj.Programs.Should().ContainKey(program);
    }

    [Fact]
    public void Program_OfATypeThatMayNotUseIt_IsRefused()
    {
        using var kernel = Boot(Own with { ProgTypes = [ProgType.Xdp] });
        var load = () => Open().Load(kernel);
        load.Should().Throw<ProgramRejectedException>()
            .WithMessage("*map type pinned*cannot be used by programs*Tracing*");
    }

    [Fact]
    public void Object_WithATypeThatTheKernelHasNot_IsRefused()
    {
        using var kernel = PublicKernel.Boot();
        var load = () => Open().Load(kernel);
        load.Should().Throw<DiagnosticException>().WithMessage("*map 'own': the kernel has no map type 1000*");
        ObjectCheck.Run(Path, kernel.Spec).Select(v => v.Verdict).Should()
            .OnlyContain(v => v == Verdict.Reject, "none of it is loaded where a map cannot be made");
    }

    [Theory]
    [InlineData(BpfMapType.ArrayOfMaps)]
    [InlineData(BpfMapType.Array)]
    [InlineData(BpfMapType.Ringbuf)]
    [InlineData(BpfMapType.TaskStorage)]
    public void Type_LikeOneWhoseRulesAreMoreThanItsOperations_CannotBe(BpfMapType like)
    {
        var make = () => new MapTypeSpec(1000, "x", like);
        make.Should().Throw<ArgumentOutOfRangeException>();
        ((Action)(() => _ = new MapTypeSpec(999, "x", BpfMapType.Hash))).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Map_ReusedByName_StaysTheUsers()
    {
        using var kernel = Boot(Own);
        using var mine = new PinnedMap(kernel, Spec(kernel, "mine"));
        using (var obj = Open().Load(kernel, Reusing("plain", mine)))
        {
            obj.Maps["plain"].Should().BeSameAs(mine);
            using var keep = obj.Programs["keep_in_plain"].Attach();
            var task = kernel.Tasks.Fork(kernel.Tasks.Init);
            Seen(mine, task).Should().Be(1);
        }

        kernel.Quiesce();
        mine.IsFreed.Should().BeFalse();
        mine.UserRefCount.Should().Be(1);
        mine.FreeNow();
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Map_MadeByName_IsTheObjects()
    {
        using var kernel = Boot(Own);
        using var obj = Open().Load(kernel, new LoadOptions
        {
            Make = new Dictionary<string, MapMaker> { ["plain"] = (k, spec) => new PinnedMap(k, spec) },
        });
        var map = obj.Maps["plain"].Should().BeOfType<PinnedMap>().Subject;
        obj.Dispose();
        kernel.Quiesce();
        map.IsFreed.Should().BeTrue();
    }

    [Fact]
    public void Map_ThatIsNotAsTheObjectDeclaresIt_IsRefusedWithTheDifference()
    {
        using var kernel = Boot(Own);
        using var other = Boot(Own);
        var disposed = new PinnedMap(kernel, Spec(kernel, "gone"));
        disposed.FreeNow();
        var spec = Spec(kernel, "bad");
        var noFields = new MapSpec("bad", BpfMapType.Hash) { KeySize = 4, ValueSize = 16, MaxEntries = 4 };
        (BpfMap? Map, string Why)[] bad =
        [
            (new PinnedMap(kernel, spec with { MaxEntries = 5 }), "*has room for 5, not 4*"),
            (new PinnedMap(kernel, spec with { ValueSize = 24 }), "*has values of 24 bytes, not 16*"),
            (new PinnedMap(kernel, spec with { KeySize = 8 }), "*has keys of 8 bytes, not 4*"),
            (new PinnedMap(kernel, spec with { Type = BpfMapType.LruHash }), "*is of type LruHash, not Hash*"),
            (new PinnedMap(kernel, spec with { Flags = MapFlags.NoPrealloc }), "*has the flags NoPrealloc, not None*"),
            (new PinnedMap(kernel, noFields), "*has other special fields: no special fields, not 1 special fields*"),
            (new PinnedMap(other, Spec(other, "far")), "*is of another kernel*"),
            (disposed, "*is disposed of*"),
            (null, "*is null*"),
        ];
        foreach (var (map, why) in bad)
        {
            var load = () => Open().Load(kernel, Reusing("plain", map!));
            load.Should().Throw<DiagnosticException>().WithMessage(why);
            (map?.UserRefCount ?? 1).Should().BeLessThanOrEqualTo(1, "what was taken is given back");
        }

        ((Action)(() => Open().Load(kernel, Reusing("plane", bad[0].Map!)))).Should().Throw<ArgumentException>()
            .WithMessage("*no map \"plane\"; it has own, plain*");
    }

    [Fact]
    public void MapOfMaps_ThatHoldsOthersThanTheObjectSays_IsNoStandIn()
    {
        using var kernel = Boot(Own);
        var inner = new MapSpec("in", BpfMapType.Array) { KeySize = 4, ValueSize = 64, MaxEntries = 1 };
        var outer = new MapSpec("plain", BpfMapType.ArrayOfMaps)
        {
            KeySize = 4, ValueSize = 4, MaxEntries = 4, InnerMap = inner,
        };
        MapSpec[] others =
        [
            inner with { ValueSize = 4 }, inner with { MaxEntries = 2 }, inner with { Type = BpfMapType.PercpuArray },
            inner with { Type = BpfMapType.Hash }, inner with { Type = BpfMapType.Hash, KeySize = 8 },
        ];
        foreach (var other in others)
        {
            using var smaller = new ArrayOfMaps(kernel, outer with { InnerMap = other });
            Load(outer, Reusing("plain", smaller)).Should().Throw<DiagnosticException>().WithMessage("*holds map*");
        }

        using var same = new ArrayOfMaps(kernel, outer);
        Load(outer, Reusing("plain", same)).Should().NotThrow();
        using var mine = new PinnedMap(kernel, outer);
        Load(outer, Reusing("plain", mine)).Should().Throw<DiagnosticException>()
            .WithMessage("*in other ways as well*");

        Action Load(MapSpec map, LoadOptions options) => () => BpfObject.From(With(map)).Load(
            kernel, options with { Autoload = _ => false }).Dispose();
    }

    [Fact]
    public void InnerMapOfATypeThatTheKernelHasNot_IsRefused()
    {
        using var kernel = Boot(Own);
        var outer = new MapSpec("plain", BpfMapType.HashOfMaps)
        {
            KeySize = 4, ValueSize = 4, MaxEntries = 4,
            InnerMap = new("in", (BpfMapType)1001) { KeySize = 4, ValueSize = 4, MaxEntries = 4 },
        };
        ObjectCheck.Run(With(outer), kernel.Spec).Should().OnlyContain(v => v.Verdict == Verdict.Reject);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(0)]
    [InlineData(36)]
    [InlineData(-1)]
    public void LinkedProgram_WithAMapOfATypeThatNobodyKnows_IsUnsupported(int type)
    {
        using var kernel = Boot(Own);
        var unknown = new MapSpec("x", (BpfMapType)type) { KeySize = 4, ValueSize = 16, MaxEntries = 4 };
        var outer = unknown with { Type = BpfMapType.HashOfMaps, ValueSize = 4, InnerMap = unknown };
        foreach (var map in (MapSpec[])[unknown, outer])
        {
            Verify(kernel, "keep_in_own", map).Diagnostics[^1].Code.Should().Be(DiagCode.UnsupportedMapType);
        }
    }

    [Fact]
    public void InnerMapOfOnesOwnType_IsAskedLikeAnOuterOne()
    {
        using var kernel = Boot(Own);
        var outer = new MapSpec("x", BpfMapType.HashOfMaps)
        {
            KeySize = 4, ValueSize = 4, MaxEntries = 4, InnerMap = Spec(kernel, "in") with { OwnType = Own },
        };
        Verify(kernel, "sleeps", outer).Message.Should().Contain("cannot be used by programs that can sleep");
        outer = outer with { InnerMap = outer.InnerMap with { OwnType = Own with { ProgTypes = [ProgType.Xdp] } } };
        Verify(kernel, "keep_in_own", outer).Message.Should().Contain("cannot be used by programs of type Tracing");
    }

    [Fact]
    public void Blueprint_WithTwoMapsOfOneName_IsNoObject()
    {
        var spec = Open().Spec;
        ((Action)(() => BpfObject.From(spec with { Maps = [.. spec.Maps, spec.Maps[0]] })))
            .Should().Throw<ArgumentException>().WithMessage("two maps are called \"own\"*");
        ((Action)(() => BpfObject.From(spec with { Progs = [.. spec.Progs, spec.Progs[0]] })))
            .Should().Throw<ArgumentException>().WithMessage("two programs are called*");
    }

    private static string Path => System.IO.Path.Combine(RepoRoot.Path, "tests", "data", "run", "own_type.bpf.o");

    private static ObjectSpec With(MapSpec map)
    {
        var spec = Open().Spec;
        return spec with { Maps = [.. spec.Maps.Select(m => m.Name == map.Name ? map : m)] };
    }

    /// <summary>Judges a program that is linked already, with another map in the place of all it uses.</summary>
    private static VerifyResult Verify(KernelModel kernel, string program, MapSpec map)
    {
        var prog = ObjectCheck.Run(Path, kernel.Spec, new() { ProgName = program }).Single().Prog;
        return BpfVerifier.Verify(prog with { Maps = [.. prog.Maps.Select(_ => map)] }, kernel.Spec);
    }

    private static BpfObject Open() => BpfObject.Open(Path);

    private static ulong Seen(PinnedMap map, TaskStruct task)
    {
        using var reader = map.Core.Rcu.ReadLock();
        return map.Lookup(task.Pid).Seen;
    }

    private static LoadOptions Reusing(string name, BpfMap map) =>
        new() { Reuse = new Dictionary<string, BpfMap> { [name] = map } };

    private static MapSpec Spec(KernelModel kernel, string name) =>
        StructSpec.Of<int, KeptTask>(kernel, name, BpfMapType.Hash, 4);

    private static KernelModel Boot(MapTypeSpec own, DestroyBehavior policy = DestroyBehavior.Eager) =>
        new(new KernelModelOptions
        {
            Profile = policy == DestroyBehavior.Eager ? KernelProfile.Linux6_12 : KernelProfile.Linux7_2,
            Driver = DeferredDriver.Manual,
            MapTypes = [new(own, (kernel, spec) => new PinnedMap(kernel, spec))],
        });
}

/// <summary><c>struct kept</c> of the program.</summary>
public struct KeptTask
{
    public ulong Seen;
    public Kptr<TaskStruct> Task;
}

/// <summary>The smallest map that a program can use: a lock, a dictionary, a pool.</summary>
public sealed class PinnedMap(KernelCore core, MapSpec spec) : BpfMap(core, spec), ITypedMap<int, KeptTask>
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, int> _slots = [];
    private ValuePool? _values;

    BpfMap ITypedMap<int, KeptTask>.Map => this;

    private ValuePool Values => _values ??= CreatePool((int)MaxEntries);

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        lock (_lock)
        {
            var pid = _slots.FirstOrDefault(s => s.Value == slot, new(-1, -1)).Key;
            return BitConverter.TryWriteBytes(key, pid) && pid >= 0;
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        lock (_lock)
        {
            return _slots.TryGetValue(BitConverter.ToInt32(key), out var slot) ? Values.AddressOf(slot) : 0;
        }
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        lock (_lock)
        {
            var exists = _slots.TryGetValue(BitConverter.ToInt32(key), out var slot);
            if (CheckExistence(exists, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (exists)
            {
                dying.Overwrite(Values, slot, value, flags, caller);
            }
            else if (Values.TryTake(out slot))
            {
                InitValue(Values, slot, value, caller);
                _slots[BitConverter.ToInt32(key)] = slot;
            }

            return slot < 0 ? Errno.E2BIG : Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        using var dying = new DyingFields(this, DeathPath.Delete);
        lock (_lock)
        {
            if (!_slots.Remove(BitConverter.ToInt32(key), out var slot))
            {
                return Errno.ENOENT;
            }

            dying.Recycle(Values, slot);
            Values.Return(slot);
            return Errno.None;
        }
    }
}
