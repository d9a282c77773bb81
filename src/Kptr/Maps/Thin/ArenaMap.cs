using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_ARENA</c>: pages that programs and user space share.</summary>
/// <remarks>
/// <para>
/// An arena is an address space. C# and what programs store as pointers name its bytes by the addresses that a process
/// has them at after <c>mmap</c>, from <see cref="UserVmStart"/> on; programs reach them by the low 32 bits of these.
/// Where no page is, a program reads zeros and writes nothing, and C# gets a page, as a process does that touches
/// one. <c>map_extra</c> is the first address; without it the map picks one.
/// </para>
/// <para>
/// Any thread may call any member. Free pages are taken from the lowest on, as 6.12 does; 7.2 prefers the
/// smallest gap. Kernel: kernel/bpf/arena.c, 6.12; <c>bpf_arena_reserve_pages</c>, 7.2.
/// </para>
/// </remarks>
public sealed partial class ArenaMap : KeylessMap
{
    private const ulong PickedHigh = 0x7e00;
    private const ulong PickedLow = 0x1000_0000;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly bool[] _isTaken;
    private int _firstFree;
    private bool _isGone;

    /// <summary>Makes an arena; variables that its blueprint brings are in its first pages.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint, or has no memory for it.</exception>
    public ArenaMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Arena))
    {
        _isTaken = new bool[Spec.MaxEntries];
        UserVmStart = Spec.MapExtra != 0 ? Spec.MapExtra : PickAddress();
        Pages = new(core.Heap, UserVmStart, _isTaken.Length);
        if (!Spec.InitialValue.IsDefaultOrEmpty)
        {
            WriteInitial(Spec.InitialValue.AsSpan());
        }
    }

    /// <summary>User space's address of the first page (<c>user_vm_start</c>).</summary>
    public ulong UserVmStart { get; }

    /// <summary>User space's address behind the last page (<c>user_vm_end</c>).</summary>
    public ulong UserVmEnd => UserVmStart + ((ulong)_isTaken.LongLength * ArenaSpace.PageBytes);

    /// <summary>Pages that are there now, taken by programs or touched from C#.</summary>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public int PageCount
    {
        get
        {
            using var held = EnterLive();
            return Pages.MappedCount;
        }
    }

    internal ArenaPages Pages { get; }

    /// <summary>Takes pages of zeros (<c>bpf_arena_alloc_pages</c>).</summary>
    /// <param name="count">How many, one after the other.</param>
    /// <param name="address">Where, a multiple of 4096 whose low 32 bits count; 0 for the lowest that are free.</param>
    /// <returns>User space's address of the first; 0 where some of them are taken, outside of the arena, or the host
    /// has no memory.</returns>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public ulong AllocatePages(uint count, ulong address = 0)
    {
        using var held = EnterLive();
        var first = count == 0 || count > _isTaken.Length ? -1 : address == 0 ? FindFree((int)count) : PageOf(address);
        if (first < 0 || !AreFree(first, count) || !TryMap(first, (int)count))
        {
            return 0;
        }

        Take(first, (int)count);
        return AddressOf(first);
    }

    /// <summary>
    /// Keeps free pages from being taken by <see cref="AllocatePages"/>; C# may touch them all the same
    /// (<c>bpf_arena_reserve_pages</c>).
    /// </summary>
    /// <param name="address">The first page's; a multiple of 4096 whose low 32 bits count. Nothing happens at
    /// others.</param>
    /// <param name="count">How many; 0 does nothing.</param>
    /// <returns><see cref="Errno.EBUSY"/> where one of them is taken, <see cref="Errno.EINVAL"/> where they leave
    /// the arena.</returns>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public Errno ReservePages(ulong address, uint count)
    {
        using var held = EnterLive();
        if (count == 0 || address % ArenaSpace.PageBytes != 0)
        {
            return Errno.None;
        }

        var first = PageOf(address);
        if (first < 0 || count > _isTaken.Length - first)
        {
            return Errno.EINVAL;
        }

        if (!AreFree(first, count))
        {
            return Errno.EBUSY;
        }

        Take(first, (int)count);
        return Errno.None;
    }

    /// <summary>Gives pages back (<c>bpf_arena_free_pages</c>); those that are not taken are skipped.</summary>
    /// <param name="address">Somewhere in the first; the low 32 bits count.</param>
    /// <param name="count">How many; those outside of the arena are skipped.</param>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public void FreePages(ulong address, uint count)
    {
        using var held = EnterLive();
        var first = PageOf(address & ~(ulong)(ArenaSpace.PageBytes - 1));
        for (var page = first; first >= 0 && page < Math.Min(first + (long)count, _isTaken.Length); page++)
        {
            Pages.Unmap(page);
            _isTaken[page] = false;
            _firstFree = Math.Min(_firstFree, page);
        }
    }

    /// <inheritdoc/>
    public override Errno DirectValueAddress(uint offsetBytes, out ulong address)
    {
        var isInside = offsetBytes <= UserVmEnd - UserVmStart;
        address = isInside ? UserVmStart + offsetBytes : 0;
        return isInside ? Errno.None : Errno.ERANGE;
    }

    /// <inheritdoc/>
    private protected override Errno UserUpdate(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags) =>
        Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    private protected override Errno UserDelete(ReadOnlySpan<byte> key) => Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.EOPNOTSUPP;

    /// <inheritdoc/>
    protected override void OnFree()
    {
        using var held = _lock.Enter();
        _isGone = true;
        Pages.Free();
    }

    /// <summary>Takes the arena's lock.</summary>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    internal RankedLock.Scope EnterLive()
    {
        var held = _lock.Enter();
        if (_isGone)
        {
            held.Dispose();
            throw new ObjectDisposedException(Name);
        }

        return held;
    }

    /// <summary>As <c>mmap</c> picks one: no two arenas have the same, and only one of 4 GiB begins with a low half of
    /// 0, which a program would take for a null pointer.</summary>
    private ulong PickAddress()
    {
        var low = (ulong)_isTaken.LongLength * ArenaSpace.PageBytes <= (1UL << 32) - PickedLow ? PickedLow : 0;
        return ((PickedHigh + ((ulong)Id % 0x100)) << 32) + low;
    }

    private ulong AddressOf(int page) => UserVmStart + ((ulong)page * ArenaSpace.PageBytes);

    /// <summary>The page at an address, by its low half; -1 where it begins none of the arena.</summary>
    private int PageOf(ulong address)
    {
        var off = (ulong)(uint)address - (uint)UserVmStart;
        return address % ArenaSpace.PageBytes == 0 && off < UserVmEnd - UserVmStart
            ? (int)(off / ArenaSpace.PageBytes) : -1;
    }

    private bool AreFree(int first, uint count) =>
        count <= _isTaken.Length - first && !_isTaken.AsSpan(first, (int)count).Contains(true);

    private int FindFree(int count)
    {
        for (var first = _firstFree; first <= _isTaken.Length - count;)
        {
            var taken = _isTaken.AsSpan(first, count).LastIndexOf(true);
            if (taken < 0)
            {
                return first;
            }

            first += taken + 1;
        }

        return -1;
    }

    private void Take(int first, int count)
    {
        _isTaken.AsSpan(first, count).Fill(true);
        while (_firstFree < _isTaken.Length && _isTaken[_firstFree])
        {
            _firstFree++;
        }
    }

    /// <summary>Gets pages for a run of free places, all or none.</summary>
    private bool TryMap(int first, int count)
    {
        for (var page = first; page < first + count; page++)
        {
            if (!Pages.TryMap(page))
            {
                for (var done = first; done < page; done++)
                {
                    Pages.Unmap(done);
                }

                return false;
            }
        }

        return true;
    }
}
