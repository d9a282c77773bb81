using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>Who says which slots of a pool are in use.</summary>
internal enum PoolKind
{
    /// <summary>The pool, by its free list, which the map's own code uses.</summary>
    FreeList,

    /// <summary>The pool, which a derived map asks for slots one by one.</summary>
    Lent,

    /// <summary>Nobody: all slots always are.</summary>
    AllLive,

    /// <summary>The map; slots come block by block.</summary>
    Chunked,
}

/// <summary>
/// Value memory of a map: numbered slots of native, zeroed memory that keep their address as long as the map lives.
/// </summary>
/// <remarks>
/// Made by <see cref="BpfMap.CreatePool(int)"/>. The map base walks every slot of every pool, in use or not, when the
/// map is freed, and the ledger finds kptrs in all of them: memory that is on no list any more cannot hide a reference.
/// A map whose values are per CPU has one value per CPU in each slot.
/// </remarks>
public sealed unsafe class ValuePool
{
    /// <summary>What the plain bytes of a value hold after <see cref="ReturnAfter"/>, until it is taken.</summary>
    public const byte Poison = HeapSlab.PoisonByte;

    private const int BlockAlign = 64;
    private const int SlotStateBytes = 2 * sizeof(int);
    private const int Free = 0;
    private const int Taken = 1;
    private const int Ended = 2;
    private const int Waiting = 3;
    private readonly BpfMap _map;
    private readonly PcpuFreelist? _free;
    private readonly int _slotsPerBlock;

    // Of lent pools: what each slot is to its borrower.
    private readonly int[]? _loans;
    private Block[] _blocks = [];
    private int _liveCount;
    private int _waitingCount;

    internal ValuePool(BpfMap map, int slotCount, int prefixBytes, PoolKind kind)
    {
        _map = map;
        PrefixBytes = prefixBytes;
        CpuCount = map.IsPerCpu ? map.Core.CpuCount : 1;
        ValueStride = map.Layout.StrideBytes;
        StrideBytes = checked(prefixBytes + (ValueStride * CpuCount));
        _slotsPerBlock = kind == PoolKind.Chunked
            ? (int)Math.Clamp(65536 / StrideBytes, 8, 4096)
            : Math.Max(1, slotCount);
        SlotCount = 0;
        if (kind != PoolKind.Chunked)
        {
            AddBlock();
            Base = (byte*)_blocks[0].Base;
        }

        if (kind is PoolKind.FreeList or PoolKind.Lent)
        {
            _free = new(slotCount, map.Core.CpuCount);
        }

        _loans = kind == PoolKind.Lent ? new int[slotCount] : null;
    }

    /// <summary>Number of slots.</summary>
    public int SlotCount { get; private set; }

    /// <summary>Slots that <see cref="TryTake"/> handed out and <see cref="Return"/> did not get back.</summary>
    public int LiveCount => Volatile.Read(ref _liveCount);

    /// <summary>Slots that <see cref="ReturnAfter"/> holds back until readers have ended.</summary>
    public int WaitingCount => Volatile.Read(ref _waitingCount);

    /// <summary>Bytes of model data (links, key) in front of the value.</summary>
    internal int PrefixBytes { get; }

    internal int StrideBytes { get; }

    /// <summary>Slots that <see cref="AddBlock"/> adds.</summary>
    internal int SlotsPerBlock => _slotsPerBlock;

    /// <summary>Distance between the values of neighbouring CPUs.</summary>
    internal int ValueStride { get; }

    internal int CpuCount { get; }

    /// <summary>First slot, when all slots lie in one block; else null.</summary>
    internal byte* Base { get; }

    internal PcpuFreelist? FreeSlots => _free;

    /// <summary>Address of the value in a slot.</summary>
    /// <param name="slot">Which slot.</param>
    /// <param name="cpu">Which CPU's value; only of meaning where values are per CPU.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such slot or CPU.</exception>
    public ulong AddressOf(int slot, int cpu = 0)
    {
        CheckSlot(slot);
        _map.CheckCpu(cpu);
        return ValueOf(slot, CpuCount == 1 ? 0 : cpu);
    }

    /// <summary>
    /// Takes a free slot. Plain bytes are as the last user left them; so are special fields, which may own something.
    /// </summary>
    /// <param name="slot">The slot, or -1.</param>
    /// <param name="cpu">Whose free slots to try first.</param>
    /// <returns>False when none is free.</returns>
    /// <exception cref="ArgumentOutOfRangeException">No such CPU.</exception>
    public bool TryTake(out int slot, int cpu = 0)
    {
        _map.CheckCpu(cpu);
        slot = _free is null || _map.Fails(FaultPoint.AllocElem) ? -1 : _free.Pop(cpu);
        if (slot >= 0)
        {
            Interlocked.Increment(ref _liveCount);
            Volatile.Write(ref _loans![slot], Taken);
        }

        return slot >= 0;
    }

    /// <summary>Whose, and how many.</summary>
    public override string ToString() => $"{SlotCount} values of {_map}";

    /// <summary>
    /// Gives a slot back, for anybody to take at once. Hand its value to <see cref="DyingFields"/> first.
    /// </summary>
    /// <param name="slot">A slot that the caller took and that no key leads to any more.</param>
    /// <param name="cpu">Whose free list gets it.</param>
    /// <remarks>
    /// Under the eager policy a value that still owns something and was not handed over is reported
    /// (<see cref="DiagCode.SlotStillOwns"/>): its next tenant would find a reference that it never stored. What a late
    /// program puts in after the end is no fault, as in Linux.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">No such slot or CPU.</exception>
    /// <exception cref="InvalidOperationException">The slot is not taken: it was returned before, or
    /// never handed out.</exception>
    public void Return(int slot, int cpu = 0)
    {
        CheckSlot(slot);
        _map.CheckCpu(cpu);
        var loan = EndLoan(slot, Free);
        Interlocked.Decrement(ref _liveCount);
        try
        {
            if (loan == Taken)
            {
                ReportOwned(slot);
            }
        }
        finally
        {
            _free!.Push(slot, cpu);
        }
    }

    /// <summary>
    /// Gives a slot back once nobody can stand on it any more. Hand its value to <see cref="DyingFields"/> first.
    /// </summary>
    /// <param name="slot">A slot that the caller took and that no key leads to any more.</param>
    /// <param name="readers">Whose readers to wait for.</param>
    /// <param name="cpu">Whose free list gets it.</param>
    /// <remarks>
    /// Until then the value stays as it is, and the slot counts as <see cref="MapCensus.Deferred"/>. Then what is still
    /// in its special fields is destroyed (<see cref="DeathPath.AllocatorRelease"/>), its plain bytes are filled with
    /// <see cref="Poison"/> for whoever reads it too late, and anybody may take it. May be called under a lock of the
    /// map.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">No such slot, CPU or flavour.</exception>
    /// <exception cref="InvalidOperationException">The slot is not taken: it was returned before, or
    /// never handed out.</exception>
    public void ReturnAfter(int slot, GracePeriods readers, int cpu = 0)
    {
        CheckSlot(slot);
        _map.CheckCpu(cpu);
        BpfMap.CheckReaders(readers);
        var loan = EndLoan(slot, Waiting);
        Interlocked.Increment(ref _waitingCount);
        Interlocked.Decrement(ref _liveCount);
        try
        {
            if (loan == Taken)
            {
                ReportOwned(slot);
            }
        }
        finally
        {
            _map.DeferReturn(readers, () => EndWait(slot, cpu));
        }
    }

    // Who gives a slot back has it; of two who do at once, one has.
    private int EndLoan(int slot, int next)
    {
        var loan = _loans is null ? Free : Volatile.Read(ref _loans[slot]);
        while (loan is Taken or Ended)
        {
            var seen = Interlocked.CompareExchange(ref _loans![slot], next, loan);
            if (seen == loan)
            {
                return loan;
            }

            loan = seen;
        }

        throw new InvalidOperationException(
            $"slot {slot} of {_map} is returned, but nobody has it: a second return, or one without a take");
    }

    private void EndWait(int slot, int cpu)
    {
        try
        {
            using var dying = DyingValues.Unlocked(_map, DeathPath.AllocatorRelease);
            dying.Recycle(this, slot);
        }
        finally
        {
            for (var each = 0; each < CpuCount; each++)
            {
                _map.Layout.FillPlain(ValueOf(slot, each), Poison);
            }

            Volatile.Write(ref _loans![slot], Free);
            Interlocked.Decrement(ref _waitingCount);
            _free!.Push(slot, cpu);
        }
    }

    /// <summary>The value in a slot was handed to <see cref="DyingFields"/>.</summary>
    internal void NoteEnd(int slot)
    {
        if (_loans is not null)
        {
            Interlocked.CompareExchange(ref _loans[slot], Ended, Taken);
        }
    }

    /// <summary>Whether the pool was made for the map.</summary>
    internal bool IsOf(BpfMap map) => _map == map;

    /// <summary>
    /// Bytes that a lent pool would need, its free list and loans included; <see cref="long.MaxValue"/> where that
    /// cannot be counted.
    /// </summary>
    internal static long BytesOf(BpfMap map, long slotCount, long prefixBytes)
    {
        var stride = prefixBytes + (map.Layout.StrideBytes * (map.IsPerCpu ? (long)map.Core.CpuCount : 1));
        return stride > ValueLayout.SizeMax ? long.MaxValue : MapMemory.Times(slotCount, stride + SlotStateBytes);
    }

    /// <summary>
    /// Throws on a number that is no slot's: what takes slots from outside asks, as memory is not bounds-checked.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CheckSlot(int slot)
    {
        if ((uint)slot >= (uint)SlotCount)
        {
            throw new ArgumentOutOfRangeException(nameof(slot), slot, $"the pool has {SlotCount} slots");
        }
    }

    // The policy destroys what a deleted value owns, so its maker must have handed it over before giving the slot back.
    private void ReportOwned(int slot)
    {
        if (_map.Policy.ActionOn(DeathPath.Delete) != DeathAction.Destroy)
        {
            return;
        }

        for (var cpu = 0; cpu < CpuCount; cpu++)
        {
            if (_map.Layout.OwnsAnything((byte*)ValueOf(slot, cpu)))
            {
                _map.Core.Report(new(DiagCode.SlotStillOwns,
                    $"a slot is returned whose value still owns a reference: hand it to {nameof(DyingFields)} first")
                {
                    Object = $"slot {slot} of {_map}",
                });
                return;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* SlotOf(int slot) => Base != null ? Base + ((nint)slot * StrideBytes) : ChunkedSlotOf(slot);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong ValueOf(int slot, int cpu = 0) => (ulong)(SlotOf(slot) + PrefixBytes + (cpu * ValueStride));

    /// <summary>
    /// Adds one block of slots; its first slot is the old <see cref="SlotCount"/>. The caller serialises.
    /// </summary>
    internal int AddBlock()
    {
        var heap = _map.Core.Heap;
        var address = heap.AllocateBlock($"map {_map.Name}", ((long)_slotsPerBlock * StrideBytes) + BlockAlign, _map);
        var block = new Block(address, heap.KeeperOf(address));
        Volatile.Write(ref _blocks, [.. _blocks, block]);
        SlotCount += _slotsPerBlock;
        return _slotsPerBlock;
    }

    /// <summary>Finds the slot whose value holds this address.</summary>
    /// <returns>False where the address is in no value of this pool.</returns>
    internal bool TryFind(ulong address, out int slot, out int cpu, out int offsetBytes)
    {
        var isHere = TryFindSlot(address, out slot, out var inSlot) && inSlot >= PrefixBytes;
        cpu = isHere ? (inSlot - PrefixBytes) / ValueStride : 0;
        offsetBytes = isHere ? (inSlot - PrefixBytes) % ValueStride : 0;
        return isHere;
    }

    /// <summary>Finds the slot that holds this address, in its value or in front of it.</summary>
    /// <param name="address">Any value at all.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="inSlot">Bytes from the start of the slot.</param>
    internal bool TryFindSlot(ulong address, out int slot, out int inSlot)
    {
        var blocks = Volatile.Read(ref _blocks);
        for (var b = 0; b < blocks.Length; b++)
        {
            var into = address - blocks[b].Base;
            if (into < (ulong)_slotsPerBlock * (ulong)StrideBytes)
            {
                slot = (b * _slotsPerBlock) + (int)(into / (ulong)StrideBytes);
                inSlot = (int)(into % (ulong)StrideBytes);
                return true;
            }
        }

        slot = inSlot = 0;
        return false;
    }

    /// <summary>Whether an allocation of the heap is one of this pool's blocks.</summary>
    internal bool IsBlock(ulong allocation)
    {
        // Programs come here for each value that they look up: no closure.
        foreach (ref readonly var block in Volatile.Read(ref _blocks).AsSpan())
        {
            if (block.Allocation == allocation)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Gives the memory up. Late readers may still look at it; it goes when nothing managed leads to it.
    /// </summary>
    internal void Release()
    {
        foreach (var block in _blocks)
        {
            _map.Core.Heap.FreeBlock(block.Allocation);
        }
    }

    private byte* ChunkedSlotOf(int slot) =>
        (byte*)Volatile.Read(ref _blocks)[slot / _slotsPerBlock].Base + ((nint)(slot % _slotsPerBlock) * StrideBytes);

    private readonly record struct Block(ulong Allocation, object Keeper)
    {
        // A cache line must not be shared by more elements than needed: the heap aligns to 16 only.
        internal ulong Base => (Allocation + BlockAlign - 1) & ~(ulong)(BlockAlign - 1);
    }
}
