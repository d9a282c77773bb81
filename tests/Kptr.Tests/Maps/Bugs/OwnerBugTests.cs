using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Maps;

/// <summary>Local storage, and how its owners begin and end.</summary>
public class OwnerBugTests : BugScenario
{
    /// <summary>b0fd1852bcc2, 2023.</summary>
    [Fact]
    public void ForkThatFails_FreesTheStorageOfTheNewTask()
    {
        Catches(
            make =>
            {
                using var core = MapKernel.Boot();
                var map = (LocalStorageMap)make(core, Spec(BpfMapType.TaskStorage, Kptr(8)));
                var parent = core.Tasks.Fork(core.Tasks.Init);
                map.Get(parent, default, create: true);
                var parents = Put(map, parent.Pid);
                Widget? childs = null;
                core.Tasks.ForkFault = child =>
                {
                    map.Get(child, default, create: true);
                    childs = Put(map, child.Pid);
                    return true;
                };
                ((Action)(() => core.Tasks.Fork(parent))).Should().Throw<InvalidOperationException>();
                core.Tasks.ForkFault = null;
                core.Quiesce();
                childs!.DestructorRuns.Should().Be(1, "the task it belonged to is gone");
                parents.DestructorRuns.Should().Be(0);
                map.Count.Should().Be(1);
                core.Tasks.ChildrenOf(parent).Should().BeEmpty();
                core.Tasks.Exit(parent);
                core.Tasks.Reap(parent);
                core.Quiesce();
                End(map, parents, childs);
            },
            map => map.Policy = new(
                map.Policy, p => p is DeathPath.OwnerExit or DeathPath.AllocatorRelease ? DeathAction.Keep : null));
    }

    /// <summary>9b51a6155d14, 2026.</summary>
    [Fact]
    public void ForkedTask_HasNoStorageAndItsEndLeavesTheParentsAlone()
    {
        Catches(Bug.SharesOnClone, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(BpfMapType.TaskStorage, Kptr(8)));
            var parent = core.Tasks.Fork(core.Tasks.Init);
            map.UpdateElem(Key(parent.Pid), new byte[ValueBytes]).Should().Be(Errno.None);
            var widget = Put(map, parent.Pid);
            var child = core.Tasks.Fork(parent);
            (map as BuggyMap)?.Clone(parent.Pid, child.Pid);
            map.DeleteElem(Key(child.Pid)).Should().Be(Errno.ENOENT);
            map.UpdateElem(Key(child.Pid), new byte[ValueBytes]).Should().Be(Errno.None);
            var childs = Put(map, child.Pid);
            map.DeleteElem(Key(child.Pid)).Should().Be(Errno.None);
            core.Tasks.Exit(child);
            core.Tasks.Reap(child);
            core.Quiesce();
            childs.DestructorRuns.Should().Be(1);
            widget.DestructorRuns.Should().Be(0);
            map.ProgLookup(Key(parent.Pid), 0).Should().NotBe(0);
            End(map, widget, childs);
        });
    }

    /// <summary>375e4e33c18d, 2026: a walker met an element that was half unlinked.</summary>
    [Theory]
    [InlineData(BpfMapType.SkStorage)]
    [InlineData(BpfMapType.TaskStorage)]
    public void DeletedStorage_IsNotFoundHalfDead(BpfMapType type)
    {
        Catches(Bug.UnlinksLast, make =>
        {
            using var core = MapKernel.Boot();
            var map = make(core, Spec(type, Kptr(8)) with { MaxEntries = 0, Flags = MapFlags.NoPrealloc });
            var sock = new Sock(core, new(1, 10, 2, 80, 6));
            var key = Key(type == BpfMapType.SkStorage ? (int)sock.Address : core.Tasks.Init.Pid);
            map.UpdateElem(key, new byte[ValueBytes]).Should().Be(Errno.None);
            var found = new List<Errno>();
            PutReentrant(map, BitConverter.ToInt32(key), () =>
            {
                // What another CPU sees while the element ends: the element whole, or none.
                found.Add(map.LookupElem(key, new byte[ValueBytes]));
                ((IReferenceSource)map).HeldSlots().Should().BeEmpty();
                map.TakeCensus().IsComplete.Should().BeTrue();
            });
            map.DeleteElem(key).Should().Be(Errno.None);
            found.Should().Equal(Errno.ENOENT);
            sock.Close();
            End(map);
        });
    }
}
