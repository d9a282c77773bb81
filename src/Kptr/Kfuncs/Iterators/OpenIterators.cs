using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>The open-coded iterators over kernel objects that one run has on its stack, by address.</summary>
/// <remarks>
/// An iterator walks what was there when it was made; its program sits in an RCU reader, so nothing it meets is freed under it.
/// The iterator's own bytes only say that it is open.
/// </remarks>
internal sealed class OpenIterators
{
    private readonly Dictionary<ulong, (Queue<ulong> Left, KernelObject? Pinned)> _open = [];

    /// <summary>Opens one; <paramref name="pinned"/> comes with a reference that is given back at the end.</summary>
    internal void Open(ProgContext ctx, ulong it, IEnumerable<ulong> addresses, KernelObject? pinned = null)
    {
        Close(ctx, it);
        _open[it] = (new(addresses), pinned);
        ctx.Write(it, 1UL);
    }

    /// <summary>The next object, or 0 at the end and for iterators that could not be opened.</summary>
    internal ulong Next(ulong it) => _open.TryGetValue(it, out var state) && state.Left.TryDequeue(out var next) ? next : 0;

    internal void Close(ProgContext ctx, ulong it)
    {
        if (_open.Remove(it, out var state))
        {
            state.Pinned?.ReleaseCount();
        }

        ctx.Write(it, 0UL);
    }

    /// <summary>The run is over.</summary>
    internal void CloseAll()
    {
        foreach (var (_, pinned) in _open.Values)
        {
            pinned?.ReleaseCount();
        }

        _open.Clear();
    }
}
