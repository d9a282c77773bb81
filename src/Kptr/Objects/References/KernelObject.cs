using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>A counted object of the modelled kernel: native memory laid out as the kernel's BTF says, and its C# side.</summary>
/// <remarks>
/// Derive from it to declare an object of your own: name its type and the field that holds its count, and override
/// <see cref="OnFree"/> for its destructor. The count starts at 1, owned by whoever created the object.
/// </remarks>
public abstract class KernelObject
{
    private RefCount _count;
    private volatile Life _life;
    private int _isFreeing;
    private RefSite _lastRelease;

    /// <summary>Allocates and zeroes the object; its count is 1.</summary>
    /// <param name="core">The kernel it belongs to.</param>
    /// <param name="typeName">Name of the kernel struct.</param>
    /// <param name="countField">Path of the 4-byte count, such as <c>usage.refs.counter</c>.</param>
    protected KernelObject(KernelCore core, string typeName, string countField)
        : this(core, (core ?? throw new ArgumentNullException(nameof(core))).LayoutOf(typeName, [new(countField, 4)]), countField)
    {
    }

    internal KernelObject(KernelCore core, ObjectLayout layout, string countField)
    {
        Core = core;
        Ledger = core.Ledger;
        Layout = layout;
        Address = layout.Slab.Allocate(this);
        _count = new RefCount(Address + (ulong)layout.Field(countField).OffsetBytes, this);
        _count.Set(1);
        core.Metrics.Created();
    }

    /// <summary>The kernel it belongs to.</summary>
    public KernelCore Core { get; }

    /// <summary>Where it lies in native memory; what a kptr slot holds.</summary>
    public ulong Address { get; }

    /// <summary>Name of the kernel struct.</summary>
    public string TypeName => Layout.Name;

    /// <summary>Bytes that the object occupies while it is pinned.</summary>
    public virtual long SizeBytes => Layout.SizeBytes;

    /// <summary>The count that acquire and release move.</summary>
    public RefCount Count => _count;

    /// <summary>Whether its memory was given back. Its count is then of no meaning.</summary>
    public bool IsFreed => _life == Life.Freed;

    /// <summary>Whether <see cref="Free"/> has begun: nothing new may be bound to the object's life.</summary>
    internal bool IsFreeing => Volatile.Read(ref _isFreeing) != 0;

    internal Ledger Ledger { get; }

    internal ObjectLayout Layout { get; }

    /// <summary>How many of the counted references belong to the modelled kernel itself.</summary>
    public int IntrinsicCount => IntrinsicHolders().Count();

    /// <summary>The kernel's own references on this object that <see cref="Count"/> includes.</summary>
    public virtual IEnumerable<Holder> IntrinsicHolders() => [];

    /// <summary>Type and address.</summary>
    public override string ToString() => $"{TypeName}@{Address:x}";

    /// <summary>Reads a field by its path in the struct.</summary>
    /// <param name="path">Member names joined by dots.</param>
    /// <typeparam name="T">An unmanaged type no larger than the field.</typeparam>
    /// <exception cref="ArgumentException">The kernel's type has no such field.</exception>
    public unsafe T Read<T>(string path)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        return Unsafe.ReadUnaligned<T>((void*)AddressFor(Layout.FieldFor(path, sizeof(T))));
    }

    /// <summary>Writes a field by its path in the struct.</summary>
    /// <param name="path">Member names joined by dots.</param>
    /// <param name="value">The value.</param>
    /// <typeparam name="T">An unmanaged type no larger than the field.</typeparam>
    /// <exception cref="ArgumentException">The kernel's type has no such field.</exception>
    public unsafe void Write<T>(string path, T value)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        var at = AddressFor(Layout.FieldFor(path, sizeof(T)));
        if (!IsFreed)
        {
            Unsafe.WriteUnaligned((void*)at, value);
        }
    }

    /// <summary>Raised once, just before the destructor: local storage of the object goes then.</summary>
    internal event Action<KernelObject>? Freeing;

    /// <summary>Reads an integer field of any width, zero-extended.</summary>
    internal ulong Get(string path)
    {
        var field = Layout.Field(path);
        return KernelMemory.Get(AddressFor(field) - (ulong)field.OffsetBytes, field);
    }

    /// <summary>Writes an integer or pointer field of any width.</summary>
    internal void Put(string path, ulong value)
    {
        if (AddressFor(Layout.Field(path)) != 0 && !IsFreed)
        {
            KernelMemory.Put(Address, Layout.Field(path), value);
        }
    }

    /// <summary>Inc-not-zero on <see cref="Count"/>; false once it is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryAcquireCount()
    {
        var outcome = _count.TryIncNotZero();
        return outcome == RefCountOutcome.Counted || AcquireSlow(outcome);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ReleaseCount(string file = "", int line = 0)
    {
        var outcome = _count.DecAndTest();
        if (outcome != RefCountOutcome.Counted)
        {
            ReleaseSlow(outcome, file, line);
        }
    }

    internal void ReleaseCount(RefSite site)
    {
        var outcome = _count.DecAndTest();
        if (outcome != RefCountOutcome.Counted)
        {
            ReleaseSlow(outcome, site);
        }
    }

    /// <summary>Gives the memory back, after the destructor. Called once, by whatever ends the object's life.</summary>
    internal void Free()
    {
        if (Interlocked.Exchange(ref _isFreeing, 1) != 0)
        {
            Core.Report(new(DiagCode.ObjectDoubleFree, "freed twice") { Object = ToString() });
            return;
        }

        Freeing?.Invoke(this);
        OnFree();
        Ledger.Freed(this);
        Core.Metrics.Freed();

        // Whoever kept the wrapper without a reference must find a count of zero, not the poison or the next tenant's.
        _count = new RefCount(Core.Heap.DeadCount, this);
        _life = Life.Freed;
        Invariant.That(Layout.Slab.TryFree(Address), "the memory of a live object was not live");
    }

    /// <summary>
    /// Runs once, when the count has reached zero. The default frees the object after an RCU grace period.
    /// </summary>
    protected virtual void OnLastRelease() => Core.Rcu.Call(static o => ((KernelObject)o).Free(), this, "kfree_rcu");

    /// <summary>The destructor: runs once, just before the memory goes, on the thread that runs the grace period.</summary>
    protected virtual void OnFree()
    {
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool AcquireSlow(RefCountOutcome outcome)
    {
        if (outcome == RefCountOutcome.Zero)
        {
            return false;
        }

        Core.Report(new(DiagCode.RefCountSaturated, "reference count saturated; the object leaks") { Object = ToString() });
        return true;
    }

    private ulong AddressFor(NativeField field)
    {
        if (IsFreed)
        {
            Core.Report(new(DiagCode.RefUseAfterFree, "a field is used after the object was freed") { Object = ToString() });
        }

        return Address + (ulong)field.OffsetBytes;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReleaseSlow(RefCountOutcome outcome, string file, int line) =>
        ReleaseSlow(outcome, Core.SiteHere(file, line));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReleaseSlow(RefCountOutcome outcome, RefSite site)
    {
        if (outcome == RefCountOutcome.Zero)
        {
            _lastRelease = site;
            OnLastRelease();
            return;
        }

        if (IsFreed)
        {
            _count.Set(0);
        }

        var isUnderflow = outcome == RefCountOutcome.UseAfterFree;
        Core.Report(new(
            isUnderflow ? DiagCode.RefCountUnderflow : DiagCode.RefCountSaturated,
            isUnderflow ? "released once more than it was acquired" : "released while its count is saturated")
        {
            Object = ToString(),
            Site = site,
            EarlierSite = _lastRelease,
        });
    }

    private enum Life
    {
        Alive,
        Freed,
    }
}
