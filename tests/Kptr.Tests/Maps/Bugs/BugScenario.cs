using System.Runtime.CompilerServices;
using FluentAssertions.Execution;
using Kptr.Btf;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;
using Xunit.Sdk;

namespace Kptr.Tests.Maps;

/// <summary>Makes the map of a scenario: ours, or one with a bug.</summary>
internal delegate BpfMap MakeMap(KernelCore core, MapSpec spec);

/// <summary>
/// What the tests of Linux's bugs share. A scenario must pass on our map, and fail once the bug is put into it: by
/// another destroy policy or layout, or by <see cref="BuggyMap"/>, on which it must pass without the bug.
/// </summary>
public abstract class BugScenario
{
    private protected const int ValueBytes = 48;

    private protected static void Catches(Bug bug, Action<MakeMap> scenario)
    {
        scenario((core, spec) => MapFactory.Create(core, spec));
        scenario((core, spec) => new BuggyMap(core, spec, Bug.None));
        Fails(() => scenario((core, spec) => new BuggyMap(core, spec, bug)));
    }

    private protected static void Catches(Action<MakeMap> scenario, Action<BpfMap> mutate)
    {
        scenario((core, spec) => MapFactory.Create(core, spec));
        Fails(() => scenario((core, spec) =>
        {
            var map = MapFactory.Create(core, spec);
            mutate(map);
            return map;
        }));
    }

    private protected static void Fails(Action mutant)
    {
        var caught = Record.Exception(mutant);
        caught.Should().NotBeNull("the scenario must notice the bug");
        caught.Should().Match(e => e is XunitException || e is AssertionFailedException
            || e is LedgerLeakException || e is InvalidOperationException);
    }

    private protected static Action<BpfMap> Deciding(DeathPath path, DeathAction action) =>
        map => map.Policy = new(map.Policy, p => p == path ? action : null);

    private protected static void CopyingEverything(BpfMap map) => map.Layout = new(BtfRecord.Empty, map.ValueSize);

    private protected static BtfField Kptr(int offset) => new(BtfFieldKind.KptrRef, $"p{offset}", offset, 8);

    private protected static BtfField SpinLock(int offset) => new(BtfFieldKind.SpinLock, "lock", offset, 4);

    private protected static MapSpec Spec(BpfMapType type, params BtfField[] fields) => new("bug", type)
    {
        KeySize = 4,
        ValueSize = ValueBytes,
        MaxEntries = type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage ? 0u : 8,
        Flags = type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.Rhash
            ? MapFlags.NoPrealloc
            : MapFlags.None,
        Record = new([.. fields]),
    };

    private protected static MapSpec Outer(BpfMapType type, MapSpec inner) =>
        new("outer", type) { KeySize = 4, ValueSize = 4, MaxEntries = 4, InnerMap = inner };

    private protected static byte[] Key(int key) => BitConverter.GetBytes(key);

    private protected static unsafe ref Kptr<Widget> Slot(BpfMap map, int key, int cpu = 0, int offset = 8) =>
        ref Unsafe.AsRef<Kptr<Widget>>((void*)(map.ProgLookup(Key(key), cpu) + (ulong)offset));

    private protected static Widget Put(BpfMap map, int key, int cpu = 0, int offset = 8)
    {
        var widget = new Widget(map.Core);
        Slot(map, key, cpu, offset).Exchange(KernelRef.Own(widget))?.Release();
        return widget;
    }

    /// <summary>Puts an object into a value that does something, on the spot, when its last reference goes.</summary>
    private protected static unsafe void PutReentrant(BpfMap map, int key, Action onLastRelease, int offset = 8) =>
        Unsafe.AsRef<Kptr<ReentrantObject>>((void*)(map.ProgLookup(Key(key), 0) + (ulong)offset))
            .Exchange(KernelRef.Own(new ReentrantObject(map.Core, onLastRelease)))?.Release();

    private protected static ulong ReadWord(BpfMap map, int key, int offset) =>
        ReadWord(map.ProgLookup(Key(key), 0) + (ulong)offset);

    private protected static unsafe ulong ReadWord(ulong address) => *(ulong*)address;

    private protected static void End(BpfMap map, params Widget[] widgets)
    {
        map.FreeNow();
        map.Core.Quiesce();
        widgets.Select(w => w.DestructorRuns).Should().AllBeEquivalentTo(1);
        map.Core.Faults.Should().BeEmpty();
        map.Core.Ledger.AssertAllReturned();
    }

    private sealed class ReentrantObject(KernelCore core, Action onLastRelease)
        : KernelObject(core, "reentrant", "usage.refs.counter")
    {
        protected override void OnLastRelease()
        {
            onLastRelease();
            base.OnLastRelease();
        }
    }
}
