using System.Diagnostics.CodeAnalysis;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>A live map. Derive from it to make a map type of your own.</summary>
/// <remarks>
/// A derived map gives its values a place with <see cref="CreatePool(int)"/>, finds them by key, and hands values that
/// end to <see cref="DyingFields"/>. Everything else is done here, alike for all maps: which bytes may be copied, when
/// destructors run, what user space sees, permissions, references on the map and its asynchronous end. Whoever makes a
/// map owns it, and gives it up with <see cref="Dispose()"/>; it is freed when programs and other maps have let go of
/// it too, later, in the work queue.
/// </remarks>
public abstract partial class BpfMap : IReferenceSource, IDisposable
{
    // Replaced and never changed: others may ask while the derived constructor still runs.
    private ValuePool[] _pools = [];
    private long _chargedBytes;

    /// <summary>
    /// Makes a map. The map types of this assembly go through <see cref="MapRules"/>; a derived
    /// one need only be possible.
    /// </summary>
    /// <param name="core">The kernel it belongs to.</param>
    /// <param name="spec">Its blueprint.</param>
    /// <exception cref="MapCreateException">A size is negative or too large, or special fields lie across each other or
    /// the value's end.</exception>
    protected BpfMap(KernelCore core, MapSpec spec)
    {
        ArgumentNullException.ThrowIfNull(core);
        ArgumentNullException.ThrowIfNull(spec);
        CheckBlueprint(spec);
        Core = core;
        FaultPlan = core.Options.FaultPlan;
        Spec = spec;
        _keySize = spec.KeySize;
        _cpuCount = core.CpuCount;
        _isBuiltin = IsBuiltin(GetType());
        if (_isBuiltin)
        {
            Charge(MapMemory.BytesOf(spec, _cpuCount));
        }

        Policy = DestroyPolicy.Of(core.Spec.Profile);
        Layout = new(spec.Record, spec.ValueSize);
        Id = core.NextMapId();
        Address = MapObject.Create(this);
        core.Ledger.AddSource(this);
    }

    /// <summary>The kernel it belongs to.</summary>
    public KernelCore Core { get; }

    /// <summary>The blueprint it was made from.</summary>
    public MapSpec Spec { get; }

    /// <summary>Its number, as user space sees it.</summary>
    public int Id { get; }

    /// <summary>Its name.</summary>
    public string Name => Spec.Name;

    /// <summary>Its type.</summary>
    public BpfMapType Type => Spec.Type;

    /// <summary>Key size in bytes.</summary>
    public int KeySize => Spec.KeySize;

    /// <summary>Value size in bytes, not rounded up.</summary>
    public int ValueSize => Spec.ValueSize;

    /// <summary>
    /// Bytes of a value in a system call: of per-CPU maps, the value of every CPU that can exist, each rounded up to 8.
    /// </summary>
    public virtual int UserValueSize =>
        IsPerCpu ? (int)Math.Min(int.MaxValue, (long)Layout.StrideBytes * Core.PossibleCpus.Length) : ValueSize;

    /// <summary>Capacity. LRU maps with a list per CPU round it.</summary>
    public virtual uint MaxEntries => Spec.MaxEntries;

    /// <summary>Creation flags.</summary>
    public MapFlags Flags => Spec.Flags;

    /// <summary>Special fields of the value.</summary>
    public BtfRecord Record => Spec.Record;

    /// <summary>Whether each CPU has a value of its own.</summary>
    public bool IsPerCpu => Type is BpfMapType.PercpuArray or BpfMapType.PercpuHash or BpfMapType.LruPercpuHash;

    /// <summary>When values that are updated or deleted lose their kptrs.</summary>
    public DestroyPolicy Policy { get; internal set; }

    /// <summary>
    /// Raised before each destructor that a dying value runs, with the context Linux would run it in.
    /// </summary>
    [SuppressMessage("Design", "CA1003", Justification = "the record is the whole event")]
    public event Action<FieldDeath>? FieldDied;

    /// <summary>The kernel's; null in one where nothing is made to fail.</summary>
    internal FaultPlan? FaultPlan { get; }

    /// <summary>Where the map itself lies: what a program's map pointer holds.</summary>
    internal ulong Address { get; }

    internal ValueLayout Layout { get; set; }

    /// <summary>Whether the class is one of this assembly's.</summary>
    internal bool IsBuiltinClass => _isBuiltin;

    /// <summary>Implements timers and work queues; null while nobody does.</summary>
    internal IAsyncFields? AsyncFields { get; set; }

    internal IReadOnlyList<ValuePool> Pools => _pools;

    /// <summary>Whether the values are references on inner maps.</summary>
    internal bool HoldsMaps => Type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps;

    /// <summary>Whether all elements exist from the start.</summary>
    protected internal virtual bool IsPreallocated => (Flags & MapFlags.NoPrealloc) == 0;

    /// <summary>The map that a program's map pointer names, or null.</summary>
    public static BpfMap? FromAddress(KernelCore core, ulong address)
    {
        ArgumentNullException.ThrowIfNull(core);
        return MapObject.Find(core, address);
    }

    /// <summary>Where all value slots are now. Exact only while nothing else uses the map.</summary>
    public virtual MapCensus TakeCensus()
    {
        long all = _pools.Sum(p => p.SlotCount), live = _pools.Sum(p => p.LiveCount);
        long free = 0, waiting = 0;
        foreach (var pool in _pools)
        {
            pool.FreeSlots?.Walk(_ => free++);
            waiting += pool.WaitingCount;
        }

        return new(all, live, free, Deferred: waiting);
    }

    /// <summary>Whether a plan wants the map to fail here.</summary>
    internal bool Fails(FaultPoint point) => FaultPlan is { } plan && plan.Pass(point.Name, Name, null);

    /// <summary>The map is about to ask the host for memory.</summary>
    /// <exception cref="OutOfMemoryException">A plan wants it.</exception>
    [SuppressMessage("Usage", "CA2201", Justification = "stands for the runtime's")]
    internal void Allocating()
    {
        if (Fails(FaultPoint.AllocMapMemory))
        {
            throw new OutOfMemoryException("the fault plan leaves no memory for the map");
        }
    }

    /// <summary>Name, type and id.</summary>
    public override string ToString() => $"map \"{Name}\" ({Type}, id {Id})";

    /// <summary>
    /// Gives the map value memory. All slots are zeroed, keep their address, and are destroyed with the map.
    /// </summary>
    /// <param name="slotCount">How many values; of per-CPU maps, how many per CPU.</param>
    /// <exception cref="MapCreateException">There is not so much memory.</exception>
    protected ValuePool CreatePool(int slotCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slotCount);
        return CreatePool(slotCount, 0, PoolKind.Lent);
    }

    internal ValuePool CreatePool(int slotCount, int prefixBytes, PoolKind kind)
    {
        if (!_isBuiltin)
        {
            Charge(ValuePool.BytesOf(this, slotCount, prefixBytes));
        }

        var pool = new ValuePool(this, slotCount, prefixBytes, kind);
        Volatile.Write(ref _pools, [.. _pools, pool]);
        return pool;
    }

    private void Charge(long bytes)
    {
        if (!Core.Heap.TryCharge(bytes))
        {
            throw new MapCreateException(Spec, Errno.ENOMEM);
        }

        _chargedBytes += bytes;
    }

    internal void OnFieldDied(DeathPath path, BtfField field)
    {
        foreach (var observer in Delegate.EnumerateInvocationList(FieldDied))
        {
            Core.Deferred.Guard(
                new FieldDeath(this, path, DestroyPolicy.ContextOf(path, Type, IsPreallocated), field), observer);
        }
    }
}
