using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_QUEUE</c> and <c>STACK</c>: values first in first out, or last in first out.</summary>
/// <remarks>
/// Whole: push, pop, peek from both sides. Values have no special fields in Linux either. Kernel:
/// <c>queue_stack_maps.c</c> (6.12).
/// </remarks>
public sealed class QueueStackMap : KeylessMap
{
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly LinkedList<byte[]> _values = [];

    /// <summary>Makes a queue or stack.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public QueueStackMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.Queue, BpfMapType.Stack))
    {
    }

    /// <summary>Values in it.</summary>
    public int Count
    {
        get
        {
            using (_lock.Enter())
            {
                return _values.Count;
            }
        }
    }

    /// <inheritdoc/>
    private protected override Errno UserRead(ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags) =>
        PeekValue(value);

    /// <inheritdoc/>
    private protected override Errno UserUpdate(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags) =>
        PushValue(value, flags);

    /// <inheritdoc/>
    protected override Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
        PopValue(value);

    /// <inheritdoc/>
    protected override Errno PushValue(ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        if (flags is not (MapUpdateFlags.Any or MapUpdateFlags.Exist))
        {
            return Errno.EINVAL;
        }

        using (_lock.Enter())
        {
            if (_values.Count >= MaxEntries)
            {
                if (flags != MapUpdateFlags.Exist)
                {
                    return Errno.E2BIG;
                }

                _values.RemoveFirst();
            }

            _values.AddLast(value[..ValueSize].ToArray());
            return Errno.None;
        }
    }

    /// <inheritdoc/>
    protected override Errno PopValue(Span<byte> value) => Get(value, remove: true);

    /// <inheritdoc/>
    protected override Errno PeekValue(Span<byte> value) => Get(value, remove: false);

    private Errno Get(Span<byte> value, bool remove)
    {
        using (_lock.Enter())
        {
            var node = Type == BpfMapType.Queue ? _values.First : _values.Last;
            if (node is null)
            {
                value[..ValueSize].Clear();
                return Errno.ENOENT;
            }

            node.Value.CopyTo(value);
            if (remove)
            {
                _values.Remove(node);
            }

            return Errno.None;
        }
    }
}
