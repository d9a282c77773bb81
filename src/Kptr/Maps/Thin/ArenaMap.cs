using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_ARENA</c>: pages that programs and user space share.</summary>
/// <remarks>
/// All pages are there from the start, so a touch never faults: <c>BPF_F_SEGV_ON_FAULT</c> has no effect, and freed
/// pages stay readable as zeros. Addresses are the host's; user space has no mapping of its own.
/// </remarks>
public sealed class ArenaMap : KeylessMap
{
    private const int PageBytes = 4096;
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly bool[] _isTaken;
    private bool _isGone;

    /// <summary>Makes an arena.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public ArenaMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Arena))
    {
        _isTaken = new bool[Spec.MaxEntries];
        BaseAddress = core.Heap.AllocateBlock($"arena {Name}", (long)Spec.MaxEntries * PageBytes, this);
    }

    /// <summary>Address of the first page.</summary>
    public ulong BaseAddress { get; }

    /// <summary>Takes a run of free pages (<c>bpf_arena_alloc_pages</c>).</summary>
    /// <returns>Address of the first, or 0.</returns>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public ulong AllocatePages(uint count)
    {
        using (_lock.Enter())
        {
            ObjectDisposedException.ThrowIf(_isGone, this);
            for (var first = 0; count > 0 && first + count <= _isTaken.Length; first++)
            {
                if (_isTaken.AsSpan(first, (int)count).IndexOf(true) < 0)
                {
                    _isTaken.AsSpan(first, (int)count).Fill(true);
                    return BaseAddress + ((ulong)first * PageBytes);
                }
            }

            return 0;
        }
    }

    /// <summary>Gives pages back, zeroed (<c>bpf_arena_free_pages</c>); pages that are not taken are skipped.</summary>
    /// <exception cref="ObjectDisposedException">The map is freed.</exception>
    public unsafe void FreePages(ulong address, uint count)
    {
        using (_lock.Enter())
        {
            ObjectDisposedException.ThrowIf(_isGone, this);
            var first = (long)(address - BaseAddress) / PageBytes;
            for (var page = first; page >= 0 && page < Math.Min(first + count, _isTaken.Length); page++)
            {
                if (_isTaken[page])
                {
                    _isTaken[page] = false;
                    new Span<byte>((void*)(BaseAddress + ((ulong)page * PageBytes)), PageBytes).Clear();
                }
            }
        }
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
        using (_lock.Enter())
        {
            _isGone = true;
        }

        Core.Heap.FreeBlock(BaseAddress);
    }
}
