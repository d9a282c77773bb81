using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Public.Tests.Maps;

/// <summary>The base class of map types whose keys are in a table: what it lets a derived class do.</summary>
public class KeyedMapTests
{
    [Fact]
    public void RemoveWhere_EndsWhatIsOver_AndCallsOutUnderNoLock()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new SeatMap(kernel, GracePeriods.None);
        map.Seat(kernel, 1).Should().BeTrue();
        map.Seat(kernel, 2).Should().BeTrue();

        // Whoever is asked may use the map.
        map.Drop(_ => map.LookupElem(KeyOf(1), new byte[map.ValueSize]) == Errno.None).Should().Be(0);
        map.Count.Should().Be(0);
        map.TakeCensus().Free.Should().Be(SeatMap.Seats);
        map.Dispose();
        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void RemoveWhere_SparesAnElementThatTookTheSlotMeanwhile()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new SeatMap(kernel, GracePeriods.None);
        map.Seat(kernel, 1);
        map.Drop(_ =>
        {
            map.DeleteElem(KeyOf(1));
            map.Seat(kernel, 2);
            return true;
        }).Should().Be(1);
        map.LookupElem(KeyOf(2), new byte[map.ValueSize]).Should().Be(Errno.None);
    }

    [Fact]
    public void DeletedElement_IsKeptForItsReaders_AndComesBack()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new SeatMap(kernel, GracePeriods.Both);
        for (var key = 0; key < SeatMap.Seats; key++)
        {
            map.Seat(kernel, key).Should().BeTrue();
        }

        map.DeleteElem(KeyOf(0)).Should().Be(Errno.None);
        map.UpdateElem(KeyOf(9), new byte[map.ValueSize]).Should().Be(Errno.E2BIG, "readers may stand on it");
        kernel.Quiesce();
        map.UpdateElem(KeyOf(9), new byte[map.ValueSize]).Should().Be(Errno.None);
    }

    private static byte[] KeyOf(int number) => BitConverter.GetBytes(number);

    private struct Seat
    {
        public Kptr<TaskStruct> Task;
    }

    private sealed class SeatMap(KernelCore core, GracePeriods keptFor)
        : KeyedMap(core, StructSpec.Of<int, Seat>(core, "seats", BpfMapType.Hash, Seats), keptFor)
    {
        internal const int Seats = 4;

        internal int Drop(Func<int, bool> isOver) => RemoveWhere(DeathPath.Evict, isOver);

        internal bool Seat(KernelCore kernel, int key)
        {
            UpdateElem(KeyOf(key), new byte[ValueSize]);
            using var reader = kernel.Rcu.ReadLock();
            if (ProgLookup(KeyOf(key), 0) is not (> 0 and var at))
            {
                return false;
            }

            ValueAt<Seat>(at).Task.Exchange(kernel.Tasks.Init.TryAcquire())?.Release();
            return true;
        }
    }
}
