using System.Collections.Immutable;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>One mapping of an address space.</summary>
/// <param name="Start">First byte.</param>
/// <param name="End">First byte behind it.</param>
/// <param name="Flags">The <c>VM_</c> flags.</param>
/// <param name="File">The mapped file, or null; the mapping holds a reference on it.</param>
/// <param name="PageOffset">Where in the file it begins, in pages.</param>
public readonly record struct VmArea(
    ulong Start, ulong End, ulong Flags, KernelFile? File = null, ulong PageOffset = 0);

/// <summary>An address space; its count is <c>mm_users</c>.</summary>
public sealed class MmStruct : KernelObject
{
    private const string Users = "mm_users.counter";
    private static readonly FieldSpec[] Fields = [
        FieldSpec.Count(Users), new("mm_count.counter", 4), new("map_count", 4), new("total_vm", 8),
        new("exe_file", 8),
    ];

    private static readonly FieldSpec[] VmaFields =
        [new("vm_start", 8), new("vm_end", 8), new("vm_flags", 8), new("vm_mm", 8), new("vm_file", 8), new(
            "vm_pgoff", 8)];

    // Most address spaces of a model map nothing, and each fork and exec makes one: all those share this, which stays
    // empty.
    private static readonly SortedList<ulong, (VmArea Area, KernelStruct Native)> NoAreas = [];

    private readonly RankedLock _lock = new(LockRank.AddressSpace);
    private volatile SortedList<ulong, (VmArea Area, KernelStruct Native)> _areas = NoAreas;
    private volatile KernelFile? _exeFile;

    internal MmStruct(KernelCore core)
        : base(core, core.LayoutOf("mm_struct", Fields), Users)
    {
        Put("mm_count.counter", 1);
        Publish();
    }

    /// <summary>The mappings, by rising address; a copy.</summary>
    public ImmutableArray<VmArea> Areas
    {
        get
        {
            using (_lock.Enter())
            {
                return [.. _areas.Values.Select(a => a.Area)];
            }
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<Holder> IntrinsicHolders() =>
        Enumerable.Repeat(new KernelHolder("address space of a task"), Math.Max(0, LiveCount));

    private protected override bool HasIntrinsicHolders => LiveCount > 0;

    /// <summary>
    /// Adds a mapping. With a file, it takes a reference of its own on that. Once nobody uses the address space it is a
    /// reported fault and adds nothing.
    /// </summary>
    /// <exception cref="ArgumentException">It is empty or overlaps another, or its file is gone or another kernel's.
    /// </exception>
    public void Map(VmArea area)
    {
        Hold(area.File, "mapping", nameof(area));
        var native = NativeOf(area);
        bool isFree, isGone;
        using (Core.HoldFaults())
        using (_lock.Enter())
        {
            isGone = LiveCount == 0;
            isFree = area.Start < area.End
                && !_areas.Values.Any(a => area.Start < a.Area.End && a.Area.Start < area.End);
            if (isFree && !isGone)
            {
                _areas = _areas == NoAreas ? [] : _areas;
                _areas.Add(area.Start, (area, native));
                UpdateLocked();
                return;
            }
        }

        Drop(area, native);
        if (!isGone)
        {
            throw new ArgumentException("the mapping is empty or overlaps another", nameof(area));
        }

        Misuse.ReportSpent(this, "used", RefSite.Unknown);
    }

    /// <summary>Removes the mapping that begins here; false if there is none.</summary>
    public bool Unmap(ulong start)
    {
        (VmArea Area, KernelStruct Native) gone;
        using (Core.HoldFaults())
        using (_lock.Enter())
        {
            if (!_areas.Remove(start, out gone))
            {
                return false;
            }

            UpdateLocked();
        }

        Drop(gone.Area, gone.Native);
        return true;
    }

    /// <summary>
    /// Sets the file whose program runs here; the address space takes a reference of its own. Once nobody uses the
    /// address space it is a reported fault and sets nothing.
    /// </summary>
    /// <exception cref="ArgumentException">The file is gone, or another kernel's.</exception>
    public void SetExeFile(KernelFile? file)
    {
        Hold(file, "exe_file", nameof(file));
        KernelFile? old;
        bool isGone;
        using (Core.HoldFaults())
        using (_lock.Enter())
        {
            isGone = Count.Value == 0;
            old = isGone ? file : ExeFile;
            if (!isGone)
            {
                ExeFile = file;
                Put("exe_file", file?.Address ?? 0);
            }
        }

        old?.DropKernelUser("exe_file");
        if (isGone)
        {
            Misuse.ReportSpent(this, "used", RefSite.Unknown);
        }
    }

    /// <summary>Type, place and size.</summary>
    public override string ToString() =>
        $"{TypeName}@{Address:x} ({_areas.Count} mappings{(IsFreed ? ", freed" : "")})";

    /// <summary>The file whose program runs here; null for none.</summary>
    public KernelFile? ExeFile
    {
        get => _exeFile;
        private set => _exeFile = value;
    }

    /// <summary>Addresses of the <c>vm_area_struct</c>s that end above an address, in order, for iterators.</summary>
    internal IReadOnlyList<ulong> VmasFrom(ulong address)
    {
        using (_lock.Enter())
        {
            return [.. _areas.Values.Where(a => a.Area.End > address).Select(a => a.Native.Address)];
        }
    }

    /// <summary>Address of the <c>vm_area_struct</c> that an address lies in; 0 for none.</summary>
    internal ulong VmaAt(ulong address)
    {
        using (_lock.Enter())
        {
            return _areas.Values.FirstOrDefault(a => address >= a.Area.Start && address < a.Area.End).Native?.Address
                ?? 0;
        }
    }

    /// <summary>
    /// A count for a task that shares it, while the table's lock keeps its owner from giving it
    /// up; null once it is gone.
    /// </summary>
    internal MmStruct? ShareLocked() => Count.TryIncNotZero() == RefCountOutcome.Zero ? null : this;

    /// <summary>A copy with the same mappings and files; the caller's count on this one is given back.</summary>
    internal MmStruct CopyAndRelease()
    {
        var copy = new MmStruct(Core);
        if (_areas == NoAreas && _exeFile is null)
        {
            ReleaseCount();
            return copy;
        }

        VmArea[] areas;
        KernelFile? exe;
        using (_lock.Enter())
        {
            // Each file is held by its mapping until the lock is left, so that it can be held for the copy too.
            areas = [.. _areas.Values.Select(a => a.Area)];
            exe = ExeFile;
            foreach (var file in areas.Select(a => a.File).Append(exe).OfType<KernelFile>())
            {
                Diagnostics.Invariant.That(
                    file.Count.TryIncNotZero() != RefCountOutcome.Zero, "a mapped file has a count");
            }
        }

        foreach (var area in areas)
        {
            copy.Map(area);
            area.File?.ReleaseCount();
        }

        copy.SetExeFile(exe);
        exe?.ReleaseCount();
        ReleaseCount();
        return copy;
    }

    /// <inheritdoc/>
    protected override void OnLastRelease()
    {
        using var hold = Core.HoldFaults();
        (VmArea Area, KernelStruct Native)[] areas;
        KernelFile? exe;
        using (_lock.Enter())
        {
            areas = _areas == NoAreas ? [] : [.. _areas.Values];
            _areas = NoAreas;
            exe = ExeFile;
            ExeFile = null;
        }

        foreach (var (area, native) in areas)
        {
            Drop(area, native);
        }

        exe?.DropKernelUser("exe_file");
        Core.Rcu.Call(static o => ((MmStruct)o).Free(), this, "mmdrop");
    }

    private void Hold(KernelFile? file, string user, string parameter)
    {
        if (file is null)
        {
            return;
        }

        Core.CheckOwn(file, parameter);
        if (!file.TryAcquireCount())
        {
            throw new ArgumentException("the file is gone", parameter);
        }

        file.AddKernelUser(user);
    }

    private KernelStruct NativeOf(VmArea area)
    {
        var native = new KernelStruct(Core, "vm_area_struct", VmaFields);
        native.Put("vm_start", area.Start);
        native.Put("vm_end", area.End);
        native.Put("vm_flags", area.Flags);
        native.Put("vm_mm", Address);
        native.Put("vm_file", area.File?.Address ?? 0);
        native.Put("vm_pgoff", area.PageOffset);
        return native;
    }

    private void Drop(VmArea area, KernelStruct native)
    {
        area.File?.DropKernelUser("mapping");
        Core.Rcu.Call(static o => ((KernelStruct)o).Free(), native, "vm_area_free_rcu_cb");
    }

    private void UpdateLocked()
    {
        Put("map_count", (ulong)_areas.Count);
        Put("total_vm", _areas.Values.Aggregate(0ul, (sum, a) => sum + ((a.Area.End - a.Area.Start) >> 12)));
    }
}
