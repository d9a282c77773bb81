using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>Maps that went while somebody used them.</summary>
public class MapLifeBugTests : BugScenario
{
    /// <summary>876673364161, 2023.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void InnerMap_LivesUntilReadersOfEitherFlavourLeave(bool isTrace, bool isHash)
    {
        Scenario(outer => outer.DeleteElem(Key(0)));
        if (isTrace)
        {
            // Without the wait for sleepable readers.
            Fails(() => Scenario(outer =>
            {
                var place = ((IEnumerable<ValuePool>)outer.Pools)
                    .SelectMany(p => Enumerable.Range(0, p.SlotCount).Select(i => p.ValueOf(i)))
                    .First(at => InnerMaps.Peek(at) != 0);
                InnerMaps.Drop(outer, InnerMaps.TakeOut(place), needsDefer: false);
                return Errno.None;
            }));
        }

        void Scenario(Func<BpfMap, Errno> delete)
        {
            using var core = MapKernel.Boot();
            var innerSpec = Spec(BpfMapType.Array, Kptr(8));
            var outer = MapFactory.Create(
                core, Outer(isHash ? BpfMapType.HashOfMaps : BpfMapType.ArrayOfMaps, innerSpec));
            var inner = MapFactory.Create(core, innerSpec);
            outer.UpdateElem(Key(0), BitConverter.GetBytes(inner.Id)).Should().Be(Errno.None);
            inner.Dispose();
            using (isTrace ? core.RcuTrace.ReadLock() : core.Rcu.ReadLock())
            {
                var found = BpfMap.FromAddress(core, outer.ProgLookup(Key(0), 0))!;
                delete(outer).Should().Be(Errno.None);
                for (var i = 0; i < 4; i++)
                {
                    core.RcuTrace.Step();
                    core.Rcu.Step();
                    core.Work.Step();
                }

                found.IsFreed.Should().BeFalse();
                found.ProgLookup(Key(0), 0).Should().NotBe(0);
            }

            core.Quiesce();
            inner.IsFreed.Should().BeTrue();
            outer.FreeNow();
        }
    }

    /// <summary>f76fa6b33805, 2022.</summary>
    [Fact]
    public void Iterator_KeepsTheUserReference_TimersStopOnlyAfterIt()
    {
        Scenario(map => map.HoldUser(), map => map.PutUser());
        Fails(() => Scenario(map => map.Hold(), map => map.Put()));

        static void Scenario(Action<BpfMap> begin, Action<BpfMap> end)
        {
            using var core = MapKernel.Boot();
            var map = MapFactory.Create(
                core, Spec(BpfMapType.Hash, Kptr(8), new BtfField(BtfFieldKind.Timer, "timer", 16, 16)));
            var timers = new CountedTimers();
            map.AsyncFields = timers;
            map.UpdateElem(Key(1), new byte[ValueBytes]);
            begin(map);
            map.Dispose();
            core.Quiesce();
            timers.Cancelled.Should().Be(0, "the iterator still looks at the elements");
            end(map);
            core.Quiesce();
            timers.Cancelled.Should().BeGreaterThan(0);
            map.IsFreed.Should().BeTrue();
        }
    }

    private sealed class CountedTimers : IAsyncFields
    {
        internal int Cancelled { get; private set; }

        public IDisposable? Cancel(BpfMap map, BtfField field, ulong address)
        {
            Cancelled++;
            return null;
        }
    }
}
