using System.Diagnostics.CodeAnalysis;

namespace Kptr.Maps;

/// <summary>Places inside map operations where a test can make Linux's rare failures happen.</summary>
public enum MapFaultPoint
{
    /// <summary>Allocation of an element (<c>-ENOMEM</c>, or <c>-E2BIG</c> where elements are preallocated).</summary>
    AllocElem,

    /// <summary>Taking a bucket's lock, as when an NMI interrupted its holder (<c>-EBUSY</c>).</summary>
    LockBucket,
}

/// <summary>Makes the n-th pass through a <see cref="MapFaultPoint"/> fail. Nothing fails unless asked for.</summary>
public sealed class MapFaults
{
    private readonly int[] _countdown = new int[Enum.GetValues<MapFaultPoint>().Length];
    private int _armed;
    private int _allocationsLeft;

    /// <summary>Whether any is asked for.</summary>
    public override string ToString() => IsArmed ? "a failure is asked for" : "nothing fails";

    /// <summary>Makes the <paramref name="nth"/> pass from now fail, once.</summary>
    /// <param name="point">Where.</param>
    /// <param name="nth">1 for the next pass.</param>
    public void FailOnce(MapFaultPoint point, int nth = 1)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nth, 1);
        if ((uint)point >= (uint)_countdown.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(point), point, "no such place");
        }

        Volatile.Write(ref _countdown[(int)point], nth);
        Volatile.Write(ref _armed, 1);
    }

    /// <summary>Makes the n-th allocation of the map's own from now fail, once; 0 for none.</summary>
    internal int AllocationsLeft
    {
        get => Volatile.Read(ref _allocationsLeft);
        set => Volatile.Write(ref _allocationsLeft, value);
    }

    /// <summary>The map is about to allocate memory.</summary>
    /// <exception cref="OutOfMemoryException">A test wants it.</exception>
    [SuppressMessage("Usage", "CA2201", Justification = "stands for the runtime's")]
    internal void Allocating()
    {
        if (AllocationsLeft > 0 && Interlocked.Decrement(ref _allocationsLeft) == 0)
        {
            throw new OutOfMemoryException("a test wants the map to run out of memory here");
        }
    }

    internal bool IsArmed => Volatile.Read(ref _armed) != 0;

    internal bool ShouldFail(MapFaultPoint point) => Volatile.Read(ref _armed) != 0 && Pass(point);

    private bool Pass(MapFaultPoint point)
    {
        ref var left = ref _countdown[(int)point];
        return Volatile.Read(ref left) > 0 && Interlocked.Decrement(ref left) == 0;
    }
}
