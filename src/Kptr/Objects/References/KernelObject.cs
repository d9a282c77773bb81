using System.Runtime.CompilerServices;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>
/// A counted object of the modelled kernel: native memory laid out as the kernel's BTF says, and its C# side.
/// </summary>
/// <remarks>
/// Derive from it to declare an object of your own: name its type and the field that holds its count, and override
/// <see cref="OnFree"/> for its destructor. The count starts at 1, owned by whoever created the object.
/// </remarks>
public abstract class KernelObject
{
    private RefCount _count;
    private volatile Life _life;
    private volatile bool _isBuilt;
    private int _isFreeing;
    private RefSite _lastRelease;

    /// <summary>Allocates and zeroes the object; its count is 1.</summary>
    /// <param name="core">The kernel it belongs to.</param>
    /// <param name="typeName">Name of the kernel struct.</param>
    /// <param name="countField">Path of the 4-byte count, such as <c>usage.refs.counter</c>.</param>
    /// <exception cref="OutOfMemoryException">There is no memory, or a <see cref="FaultPlan"/> says so.</exception>
    protected KernelObject(KernelCore core, string typeName, string countField)
        : this(
            core ?? throw new ArgumentNullException(nameof(core)),
            core.LayoutForNew(typeName, countField),
            countField)
    {
        // The derived constructor is still to come, and its end is not seen: the ledger is ready for
        // overrides that fail until then.
        Layout.Slab.SetWrapper(Address, this);
    }

    internal KernelObject(KernelCore core, ObjectLayout layout, string countField)
    {
        Core = core;
        Ledger = core.Ledger;
        Layout = layout;
        Address = layout.Slab.Allocate();
        _count = new RefCount(Address + (ulong)layout.Field(countField).OffsetBytes, this);
        _count.Set(1);
    }

    /// <summary>The kernel it belongs to.</summary>
    public KernelCore Core { get; }

    /// <summary>Where it lies in native memory; what a kptr slot holds.</summary>
    public ulong Address { get; }

    /// <summary>Name of the kernel struct.</summary>
    public string TypeName => Layout.Name;

    /// <summary>Bytes that the object occupies while it is pinned.</summary>
    public virtual long SizeBytes => Layout.SizeBytes;

    /// <summary>The count that acquire and release move; zero once the object is freed.</summary>
    public RefCount Count => _count;

    /// <summary>
    /// Whether its memory was given back. To read or write a field of it is a reported fault then: zeros and empty
    /// strings are read, nothing is written. What the wrapper itself knows (names, numbers, its relatives) stays.
    /// </summary>
    public bool IsFreed => _life == Life.Freed;

    /// <summary>Whether <see cref="Free"/> has begun: nothing new may be bound to the object's life.</summary>
    internal bool IsFreeing => Volatile.Read(ref _isFreeing) != 0;

    /// <summary>Where the last reference was given back; unknown before.</summary>
    internal RefSite LastRelease => _lastRelease;

    /// <summary>
    /// Whether its constructors are known to have ended; if not, what it overrides may fail for what is still missing.
    /// </summary>
    internal bool IsBuilt => _isBuilt;

    /// <summary>The count, and 0 once it is freed, whatever lies in its memory then.</summary>
    internal int LiveCount
    {
        get
        {
            // The order matters: memory is poisoned after the object says that it is freed.
            var count = _count.Value;
            return IsFreed ? 0 : count;
        }
    }

    internal Ledger Ledger { get; }

    internal ObjectLayout Layout { get; }

    /// <summary>How many of the counted references belong to the modelled kernel itself.</summary>
    public int IntrinsicCount => IntrinsicHolders().Count();

    /// <summary>The kernel's own references on this object that <see cref="Count"/> includes.</summary>
    /// <remarks>
    /// One that is given back is not among them any more when it is: the count does not come to zero before them all.
    /// Where it would, somebody gave back what was not his; that is reported, and the object stays for good.
    /// </remarks>
    public virtual IEnumerable<Holder> IntrinsicHolders() => [];

    /// <summary>Whether there are any: asked at every last release, so that kinds that know say so without a list.
    /// </summary>
    private protected virtual bool HasIntrinsicHolders => IntrinsicHolders().Any();

    /// <summary>Type and address.</summary>
    public override string ToString() => $"{TypeName}@{Address:x}";

    /// <summary>Reads a field by its path in the struct.</summary>
    /// <param name="path">Member names joined by dots.</param>
    /// <typeparam name="T">An unmanaged type no larger than the field.</typeparam>
    /// <returns>The value; zeros, and a reported fault, once the object is freed.</returns>
    /// <exception cref="ArgumentException">The kernel's type has no such field.</exception>
    public unsafe T Read<T>(string path)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        var value = Unsafe.ReadUnaligned<T>((void*)(Address + (ulong)Layout.FieldFor(path, sizeof(T)).OffsetBytes));
        return IsReadTooLate(path) ? default : value;
    }

    /// <summary>
    /// Writes a field by its path in the struct; once the object is freed, reports a fault and writes nothing.
    /// </summary>
    /// <param name="path">Member names joined by dots.</param>
    /// <param name="value">The value.</param>
    /// <typeparam name="T">An unmanaged type no larger than the field.</typeparam>
    /// <exception cref="ArgumentException">The kernel's type has no such field, or the model itself goes by it: the
    /// count, the links of lists, special fields of a program's type.</exception>
    public unsafe void Write<T>(string path, T value)
        where T : unmanaged
    {
        PlainStruct.Check<T>();
        var field = Layout.FieldFor(path, sizeof(T));
        if (Layout.IsKept(field.OffsetBytes, sizeof(T)))
        {
            throw new ArgumentException($"{TypeName}.{path} is kept by the model and not to be written", nameof(path));
        }

        if (MayWrite(path))
        {
            Unsafe.WriteUnaligned((void*)(Address + (ulong)field.OffsetBytes), value);
        }
    }

    /// <summary>Raised once, just before the destructor: local storage of the object goes then.</summary>
    internal event Action<KernelObject>? Freeing;

    /// <summary>Reads an integer field of any width, zero-extended.</summary>
    internal ulong Get(string path)
    {
        var value = KernelMemory.Get(Address, Layout.Field(path));
        return IsReadTooLate(path) ? 0 : value;
    }

    /// <summary>Reads a string that ends with a zero byte.</summary>
    internal string GetString(string path)
    {
        var value = KernelMemory.GetString(Address, Layout.Field(path));
        return IsReadTooLate(path) ? "" : value;
    }

    /// <summary>Writes an integer or pointer field of any width.</summary>
    internal void Put(string path, ulong value)
    {
        if (MayWrite(path))
        {
            KernelMemory.Put(Address, Layout.Field(path), value);
        }
    }

    /// <summary>
    /// Asked after a read of the object's memory: true, and a report, where it was freed by then and
    /// what was read is nobody's.
    /// </summary>
    /// <remarks>
    /// Asked after and not before, so that no free can come between: an object is marked as
    /// freed before its memory goes.
    /// </remarks>
    internal bool IsReadTooLate(string what)
    {
        Volatile.ReadBarrier();
        return IsFreed && ReportFreed(what, "read");
    }

    /// <summary>Asked before a write to the object's memory: false, and a report, where it is freed.</summary>
    internal bool MayWrite(string what) => !(IsFreed && ReportFreed(what, "written"));

    /// <summary>
    /// The object in words, also once it is freed: what its <see cref="ToString"/> reads then is no fault.
    /// </summary>
    internal string Describe()
    {
        var thread = Core.Thread;
        var outer = thread.IsDescribing;
        thread.IsDescribing = true;
        try
        {
            return ToString();
        }
        finally
        {
            thread.IsDescribing = outer;
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

    /// <summary>A plan wants the next acquire to find the count at its maximum, if the object lives.</summary>
    internal void FillCount()
    {
        if (_count.Value > 0)
        {
            _count.Set(int.MaxValue);
        }
    }

    /// <summary>Says that what has a descriptor was closed by the kernel's user for a second time.</summary>
    internal void ReportSecondClose() => Core.Report(
        new(DiagCode.RefCountUnderflow, "closed twice") { Object = Describe(), Site = Core.SiteHere() });

    /// <summary>The object is built and can be found from now on.</summary>
    internal void Publish()
    {
        _isBuilt = true;
        Layout.Slab.SetWrapper(Address, this);
    }

    /// <summary>Somebody owns a reference, so the constructors have ended.</summary>
    internal void MarkBuilt() => _isBuilt = true;

    /// <summary>
    /// Gives the memory back, after the destructor, even one that throws. Called once, by
    /// whatever ends the object's life.
    /// </summary>
    internal void Free()
    {
        if (Interlocked.Exchange(ref _isFreeing, 1) != 0)
        {
            Core.Report(new(DiagCode.ObjectDoubleFree, "freed twice") { Object = Describe() });
            return;
        }

        var failures = default(Failures);
        try
        {
            LockOrder.CallingOut("a destructor");
            Freeing?.Invoke(this);
            OnFree();
        }
        catch (Exception e)
        {
            failures.Add(Core, e);
        }

        using var hold = Core.HoldFaults();
        Ledger.Freed(this);
        GiveMemoryBack();
        failures.ThrowIfAny();
    }

    private void GiveMemoryBack()
    {
        // Whoever kept the wrapper without a reference must find a count of zero, not the poison or the next tenant's.
        _count = new RefCount(Core.Heap.DeadCount, this);
        _life = Life.Freed;
        Invariant.That(Layout.Slab.TryFree(Address), "the memory of a live object was not live");
    }

    /// <summary>
    /// Runs once, when the count has reached zero. The default frees the object after an RCU grace period.
    /// </summary>
    protected virtual void OnLastRelease() => Core.Rcu.Call(static o => ((KernelObject)o).Free(), this, "kfree_rcu");

    /// <summary>
    /// The destructor: runs once, just before the memory goes, on the thread that runs the grace period.
    /// </summary>
    protected virtual void OnFree()
    {
    }

    /// <summary>
    /// For <see cref="OnLastRelease"/>: destroys the object and gives its memory back at once, whoever still looks at
    /// it.
    /// </summary>
    /// <remarks>
    /// Only where nobody can find the object but by a reference (no kfunc takes it with <c>KF_RCU</c>, no kptr slot
    /// holds it): a program that found it in a slot looks at it until its RCU reader ends. Kernel: <c>kfree</c>.
    /// </remarks>
    /// <exception cref="InvalidOperationException">Somebody still has a reference.</exception>
    protected void FreeNow()
    {
        if (_count.Value != 0)
        {
            throw new InvalidOperationException($"{Describe()} has {_count.Value} references and is not to be freed");
        }

        Free();
    }

    /// <summary>Runs something once, later, in a context that may sleep (<c>schedule_work</c>).</summary>
    /// <param name="run">What runs, on the thread that drives deferred work; no lock is held.</param>
    /// <param name="name">What the ledger calls it.</param>
    protected void QueueWork(Action run, string name)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(name);
        Core.Work.Enqueue(static work => ((Action)work)(), run, name);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool AcquireSlow(RefCountOutcome outcome)
    {
        if (outcome == RefCountOutcome.Zero)
        {
            return false;
        }

        Core.Report(
            new(DiagCode.RefCountSaturated, "reference count saturated; the object leaks") { Object = ToString() });
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool ReportFreed(string what, string how)
    {
        if (!Core.Thread.IsDescribing)
        {
            Core.Report(new(DiagCode.RefUseAfterFree, $"{what} is {how} after the object was freed")
            {
                Object = Describe(),
                Site = Core.SiteHere(),
                EarlierSite = _lastRelease,
            });
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReleaseSlow(RefCountOutcome outcome, string file, int line) =>
        ReleaseSlow(outcome, Core.SiteHere(file, line));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReleaseSlow(RefCountOutcome outcome, RefSite site)
    {
        if (outcome == RefCountOutcome.Zero)
        {
            LockOrder.CallingOut("a last release");
            if (!IsInUseByKernel())
            {
                _lastRelease = site;
                OnLastRelease();
                return;
            }

            // What was given back was the kernel's: the object leaks instead of being freed under it.
            _count.Set(RefCount.SaturatedValue);
            outcome = RefCountOutcome.UseAfterFree;
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
            Object = Describe(),
            Site = site.IsKnown ? site : Core.SiteHere(),
            EarlierSite = _lastRelease,
        });
    }

    private bool IsInUseByKernel()
    {
        try
        {
            return HasIntrinsicHolders;
        }
        catch (Exception e)
        {
            // An override that fails says nothing; whoever drives deferred work is told.
            Core.Deferred.Fail(e);
            return false;
        }
    }

    private enum Life
    {
        Alive,
        Freed,
    }
}
