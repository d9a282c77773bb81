using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>The open-coded iterators over kernel objects that one run has on its stack, by address.</summary>
/// <remarks>
/// An iterator walks what was there when it was made. Nothing it meets is freed under it: most are for
/// programs inside RCU readers, and <see cref="OpenPinning"/> is for those that need none. The iterator's own
/// bytes only say that it is open.
/// </remarks>
internal sealed class OpenIterators
{
    private readonly Dictionary<ulong, State> _open = [];

    /// <summary>Opens one; <paramref name="pinned"/> comes with a reference that is given back at the end.</summary>
    internal void Open(ProgContext ctx, ulong it, IEnumerable<ulong> addresses, KernelObject? pinned = null) =>
        Open(ctx, it, new State(new(addresses.Select(a => (a, (KernelObject?)null))), pinned));

    /// <summary>
    /// Opens one that has a reference on the object it is at; those that are gone by then are left out.
    /// </summary>
    internal void OpenPinning(ProgContext ctx, ulong it, IEnumerable<KernelObject> objects) =>
        Open(ctx, it, new State(new(objects.Select(o => (o.Address, (KernelObject?)o))), null));

    /// <summary>The next object, or 0 at the end and for iterators that could not be opened.</summary>
    internal ulong Next(ulong it) => _open.TryGetValue(it, out var state) ? state.Next() : 0;

    internal void Close(ProgContext ctx, ulong it)
    {
        if (_open.Remove(it, out var state))
        {
            state.End();
        }

        ctx.Write(it, 0UL);
    }

    /// <summary>The run is over.</summary>
    internal void CloseAll()
    {
        foreach (var state in _open.Values)
        {
            state.End();
        }

        _open.Clear();
    }

    private void Open(ProgContext ctx, ulong it, State state)
    {
        Close(ctx, it);
        _open[it] = state;
        ctx.Write(it, 1UL);
    }

    private sealed class State(Queue<(ulong Address, KernelObject? Object)> left, KernelObject? pinned)
    {
        private KernelObject? _current;

        internal ulong Next()
        {
            LetCurrentGo();
            while (left.TryDequeue(out var next))
            {
                if (next.Object is null || next.Object.TryAcquireCount())
                {
                    _current = next.Object;
                    return next.Address;
                }
            }

            return 0;
        }

        internal void End()
        {
            LetCurrentGo();
            pinned?.ReleaseCount();
        }

        private void LetCurrentGo()
        {
            _current?.ReleaseCount();
            _current = null;
        }
    }
}
