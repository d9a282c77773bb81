using System.Runtime.InteropServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>The modelled kernel's memory: native slabs, and the way from any address to what lies there.</summary>
/// <remarks>
/// Look-ups take no lock. The directory is a radix tree over the 48 address bits: 11 + 11 + 10 bits choose a unit of
/// 64 KiB, and every unit belongs to at most one chunk.
/// </remarks>
internal sealed class KernelHeap
{
    private const int TopBits = 11;
    private const int MidBits = 11;
    private const int LowBits = 10;
    private const long FreedBlockBytesMax = 64L << 20;
    private const int BlockSlabsMax = 64;
    private static readonly long s_chargedBytesMax = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
    private readonly HeapChunk?[]?[]?[] _directory = new HeapChunk?[1 << TopBits][][];
    private readonly List<HeapSlab> _objectSlabs = [];
    private readonly Dictionary<ushort, List<HeapChunk>> _objectUnits = []; // by bits 16 to 31 of where objects begin
    private readonly Dictionary<long, HeapSlab> _blockSlabs = [];
    private readonly Queue<ulong> _freedBlocks = [];
    private readonly RankedLock _lock = new(LockRank.Heap);
    private readonly Lazy<ulong> _deadCount;
    private long _freedBlockBytes;
    private long _chargedBytes;
    private long _chunkBytes;
    private HeapWatch _watch;

    internal KernelHeap(bool isChecked = true, int quarantineSlotsMax = 256, bool checksSlots = false,
        bool injectsFaults = false)
    {
        _watch = (checksSlots ? HeapWatch.Slots : HeapWatch.None)
            | (injectsFaults ? HeapWatch.Acquires : HeapWatch.None);
        IsChecked = isChecked;
        QuarantineSlotsMax = quarantineSlotsMax;
        _deadCount = new(
            () =>
            {
                var address = AllocateBlock("dead count", 8);
                new RefCount(address).Set(0);
                return address;
            },
            LazyThreadSafetyMode.PublicationOnly);
    }

    /// <summary>Address of a count that is always zero: what freed objects show.</summary>
    internal ulong DeadCount => _deadCount.Value;

    /// <summary>Native memory that addresses lead to now.</summary>
    internal long ChunkBytes => Interlocked.Read(ref _chunkBytes);

    /// <summary>Whether freed memory is poisoned and held back.</summary>
    internal bool IsChecked { get; }

    /// <summary>Freed slots that each slab holds back.</summary>
    internal int QuarantineSlotsMax { get; }

    /// <summary>A new pool of equal allocations.</summary>
    /// <param name="name">What it holds, for reports.</param>
    /// <param name="sizeBytes">Bytes of each.</param>
    /// <param name="owner">Who can describe a kptr slot in this memory; null where there are none.</param>
    /// <param name="holdsObjects">Whether each allocation is a <see cref="KernelObject"/>.</param>
    /// <param name="slotsPerChunk">How many to get at once; 0 leaves it to the heap.</param>
    /// <param name="visibleBytes">How many of the bytes a program may see; 0 means all.</param>
    internal HeapSlab CreateSlab(
        string name, long sizeBytes, IReferenceSource? owner = null, bool holdsObjects = false, int slotsPerChunk = 0,
        long visibleBytes = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        var slab = new HeapSlab(this, name, sizeBytes, slotsPerChunk, holdsObjects, owner)
        {
            SizeBytes = visibleBytes > 0 ? visibleBytes : sizeBytes,
        };
        if (holdsObjects)
        {
            using (_lock.Enter())
            {
                _objectSlabs.Add(slab);
            }
        }

        return slab;
    }

    /// <summary>
    /// Counts memory that something large will take, before any of it is asked for; given back
    /// by <see cref="Uncharge"/>.
    /// </summary>
    /// <returns>
    /// False when the kernel would then have more than half of what the process can get: Linux says <c>-ENOMEM</c>.
    /// </returns>
    internal bool TryCharge(long bytes)
    {
        if (bytes > s_chargedBytesMax)
        {
            return false;
        }

        if (Interlocked.Add(ref _chargedBytes, bytes) <= s_chargedBytesMax)
        {
            return true;
        }

        Uncharge(bytes);
        return false;
    }

    /// <summary>Gives back what <see cref="TryCharge"/> counted.</summary>
    internal void Uncharge(long bytes) => Interlocked.Add(ref _chargedBytes, -bytes);

    /// <summary>
    /// One zeroed block. With an owner it is a chunk of its own, else one of many of its size. Freed
    /// by <see cref="TryFree"/>.
    /// </summary>
    /// <remarks>
    /// A slab keeps its memory for good, so only the first sizes get one: blocks of all others
    /// are chunks of their own too.
    /// </remarks>
    internal ulong AllocateBlock(string name, long sizeBytes, IReferenceSource? owner = null)
    {
        if (owner is not null)
        {
            return new HeapSlab(this, name, sizeBytes, 1, holdsObjects: false, owner) { IsBlock = true }.Allocate();
        }

        HeapSlab? slab;
        using (_lock.Enter())
        {
            if (!_blockSlabs.TryGetValue(sizeBytes, out slab) && _blockSlabs.Count < BlockSlabsMax)
            {
                _blockSlabs[sizeBytes] = slab = CreateSlab($"blocks of {sizeBytes} bytes", sizeBytes);
            }
        }

        slab ??= new HeapSlab(this, name, sizeBytes, 1, holdsObjects: false, null) { IsBlock = true };
        return slab.Allocate();
    }

    /// <summary>What keeps a block's memory there: hold it as long as anybody may still look at the memory.</summary>
    internal object KeeperOf(ulong address) =>
        FindChunk(address) ?? throw new ArgumentException("the heap has nothing there", nameof(address));

    /// <summary>
    /// Frees a block of <see cref="AllocateBlock"/> and forgets it: the address is nobody's from now on.
    /// </summary>
    internal void FreeBlock(ulong address)
    {
        if (FindChunk(address) is not { Slab.IsBlock: true } chunk)
        {
            TryFree(address);
        }
        else if (chunk.Slab.TryFree(address))
        {
            using (_lock.Enter())
            {
                RegisterLocked(chunk, null);
            }
        }
    }

    /// <summary>Frees an allocation whatever its slab; false when it was not live.</summary>
    internal bool TryFree(ulong address)
    {
        if (!TryFindRegion(address, 0, out var region) || region.Address != address || !region.Slab.TryFree(address))
        {
            return false;
        }

        if (region.Slab.IsBlock)
        {
            LetOldBlocksGo(address);
        }

        return true;
    }

    /// <summary>
    /// Finds the allocation that holds all of these bytes, live or freed. Takes any address and no lock.
    /// </summary>
    /// <returns>False where the heap has nothing there or the bytes cross the end of it.</returns>
    internal bool TryFindRegion(ulong address, int sizeBytes, out HeapRegion region)
    {
        region = default;
        if (FindChunk(address) is not { } chunk || address < chunk.Base + HeapChunk.HeaderBytes)
        {
            return false;
        }

        var slab = chunk.Slab;
        var slot = (long)(address - chunk.Base - HeapChunk.HeaderBytes) / slab.StrideBytes;
        if (slot >= chunk.UsedCount)
        {
            return false;
        }

        var start = chunk.AddressOf((int)slot);
        if (address < start || (long)(address - start) + sizeBytes > slab.SizeBytes)
        {
            return false;
        }

        region = new(start, slab.SizeBytes, HeapHeader.Of(start).State, slab,
            slab.HoldsObjects ? chunk.Wrappers[slot] : null);
        return true;
    }

    /// <summary>The live kernel object that starts exactly here, or null. Takes any address.</summary>
    internal KernelObject? FindObject(ulong address) =>
        TryFindRegion(address, 0, out var region) && region.Address == address ? region.Object : null;

    /// <summary>
    /// The live kernel objects whose addresses have these low 32 bits, which is what user space knows of an owner.
    /// </summary>
    /// <remarks>Finds without a walk: every object begins in the first unit of its chunk.</remarks>
    internal List<KernelObject> FindObjects(uint lowBits)
    {
        var found = new List<KernelObject>();
        using (_lock.Enter())
        {
            foreach (var chunk in _objectUnits.GetValueOrDefault((ushort)(lowBits >> HeapChunk.UnitShift), []))
            {
                if (FindObject(chunk.Base | (lowBits & (HeapChunk.UnitBytes - 1))) is { } match)
                {
                    found.Add(match);
                }
            }
        }

        return found;
    }

    /// <summary>Every live kernel object that is built, as of some moment during the call.</summary>
    internal IEnumerable<KernelObject> LiveObjects() => ObjectSlabs().SelectMany(s => s.LiveObjects());

    /// <summary>How many objects were created and freed so far.</summary>
    internal (long Created, long Freed) CountObjects()
    {
        var (created, live) = (0L, 0L);
        foreach (var slab in ObjectSlabs())
        {
            live += slab.LiveCount;
            created += slab.CreatedCount;
        }

        return (created, Math.Max(0, created - live));
    }

    private HeapSlab[] ObjectSlabs()
    {
        using (_lock.Enter())
        {
            return [.. _objectSlabs];
        }
    }

    /// <summary>From now on references on all objects are followed one by one, or not.</summary>
    internal void SetFollowing(bool isFollowing)
    {
        HeapSlab[] slabs;
        HeapWatch watch;
        using (_lock.Enter())
        {
            _watch = watch = isFollowing ? _watch | HeapWatch.References : _watch & ~HeapWatch.References;
            slabs = [.. _objectSlabs];
        }

        foreach (var slab in slabs)
        {
            slab.SetWatch(watch);
        }
    }

    /// <summary>Gets memory for a slab, whose lock the caller holds, and makes it findable.</summary>
    internal HeapChunk AddChunk(HeapSlab slab, int slotCount)
    {
        using (_lock.Enter())
        {
            var chunk = new HeapChunk(slab, slotCount, _watch);
            RegisterLocked(chunk, chunk);
            if (slab.HoldsObjects)
            {
                var unit = (ushort)(chunk.Base >> HeapChunk.UnitShift);
                CollectionsMarshal.GetValueRefOrAddDefault(_objectUnits, unit, out _) ??= [];
                _objectUnits[unit].Add(chunk);
            }

            return chunk;
        }
    }

    internal HeapChunk? FindChunk(ulong address)
    {
        if (address >> 48 != 0)
        {
            return null;
        }

        var (top, mid, low) = Split(address);
        return _directory[top]?[mid]?[low];
    }

    // Values of maps that are long gone: a few are kept, poisoned, for late readers; the oldest are forgotten, and
    // unmapped when nothing managed refers to their map any more.
    private void LetOldBlocksGo(ulong freed)
    {
        using (_lock.Enter())
        {
            _freedBlocks.Enqueue(freed);
            _freedBlockBytes += FindChunk(freed)!.SizeBytes;
            while (_freedBlockBytes > FreedBlockBytesMax && _freedBlocks.TryDequeue(out var oldest))
            {
                var chunk = FindChunk(oldest)!;
                _freedBlockBytes -= chunk.SizeBytes;
                RegisterLocked(chunk, null);
            }
        }
    }

    private void RegisterLocked(HeapChunk chunk, HeapChunk? entry)
    {
        Interlocked.Add(ref _chunkBytes, entry is null ? -chunk.SizeBytes : chunk.SizeBytes);
        for (var at = chunk.Base; at < chunk.Base + (ulong)chunk.SizeBytes; at += HeapChunk.UnitBytes)
        {
            var (top, mid, low) = Split(at);
            var mids = _directory[top] ??= new HeapChunk?[1 << MidBits][];
            var lows = mids[mid] ??= new HeapChunk?[1 << LowBits];
            Volatile.Write(ref lows[low], entry);
        }
    }

    private static (int Top, int Mid, int Low) Split(ulong address)
    {
        var unit = address >> HeapChunk.UnitShift;
        return ((int)(unit >> (MidBits + LowBits)), (int)(unit >> LowBits) & ((1 << MidBits) - 1),
            (int)unit & ((1 << LowBits) - 1));
    }
}
