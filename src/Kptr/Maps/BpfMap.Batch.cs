using Kptr.Diagnostics;

namespace Kptr.Maps;

/// <summary>Batch operations a map type has.</summary>
[Flags]
public enum MapBatchOps
{
    /// <summary>None: <c>-ENOTSUPP</c>.</summary>
    None = 0,

    /// <summary><c>BPF_MAP_LOOKUP_BATCH</c></summary>
    Lookup = 1,

    /// <summary><c>BPF_MAP_UPDATE_BATCH</c></summary>
    Update = 2,

    /// <summary><c>BPF_MAP_DELETE_BATCH</c></summary>
    Delete = 4,

    /// <summary><c>BPF_MAP_LOOKUP_AND_DELETE_BATCH</c></summary>
    LookupAndDelete = 8,

    /// <summary>All four.</summary>
    All = Lookup | Update | Delete | LookupAndDelete,
}

// Batches. Kernel: generic_map_*_batch (kernel/bpf/syscall.c, 6.12).
public abstract partial class BpfMap
{
    private const int BatchMissesMax = 100;

    /// <summary>
    /// Which batches the type has. All four work by the overrides for single elements: look-ups by
    /// <see cref="NextKey"/> and <see cref="ReadValue(ReadOnlySpan{byte}, Span{byte}, MapUpdateFlags, in MapCall)"/>,
    /// those that delete by <see cref="NextKey"/> and <see cref="TakeValue"/>.
    /// </summary>
    protected virtual MapBatchOps BatchOps => MapBatchOps.None;

    /// <summary>Bytes of the cursor that lookup batches hand from call to call.</summary>
    public virtual int BatchCursorSize => KeySize;

    /// <summary>Copies many elements out.</summary>
    /// <param name="inBatch">Empty at first, then the cursor of the call before.</param>
    /// <param name="outBatch">Receives <see cref="BatchCursorSize"/> bytes.</param>
    /// <param name="keys">Room for the keys.</param>
    /// <param name="values">Room for the values.</param>
    /// <param name="count">In: how many at most. Out: how many came.</param>
    /// <param name="flags"><see cref="MapUpdateFlags.Lock"/>; look-ups of per-CPU maps also
    /// <see cref="MapCpu.Only"/>.</param>
    /// <returns><see cref="Errno.ENOENT"/> once the end was reached; <see cref="Errno.ENOSPC"/> when not even
    /// one bucket fits.</returns>
    public Errno LookupBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, ref int count,
        MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckCursors(inBatch.Length, outBatch.Length);
        var wanted = BeginBatch(MapBatchOps.Lookup, ref count, keys.Length, values.Length, flags, out var bad);
        return wanted == 0 ? bad : ReadBatch(inBatch, outBatch, keys, values, wanted, ref count, flags);
    }

    /// <summary>Copies many elements out and deletes them; references in them are destroyed.</summary>
    /// <inheritdoc cref="LookupBatch"/>
    public Errno LookupAndDeleteBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, ref int count,
        MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckCursors(inBatch.Length, outBatch.Length);
        using var writing = new Writing(this);
        var wanted = BeginBatch(MapBatchOps.LookupAndDelete, ref count, keys.Length, values.Length, flags, out var bad);
        return wanted == 0 ? bad : TakeBatch(inBatch, outBatch, keys, values, wanted, ref count, flags);
    }

    /// <summary>Updates many elements, in order, up to the first that fails.</summary>
    /// <param name="keys">The keys, side by side.</param>
    /// <param name="values">The values, side by side.</param>
    /// <param name="count">In: how many. Out: how many succeeded.</param>
    /// <param name="flags"><see cref="MapUpdateFlags.Lock"/>; for per-CPU maps <see cref="MapCpu.Only"/>,
    /// <see cref="MapUpdateFlags.AllCpus"/>.</param>
    public Errno UpdateBatch(
        ReadOnlySpan<byte> keys, ReadOnlySpan<byte> values, ref int count, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        using var writing = new Writing(this);
        var wanted = BeginBatch(MapBatchOps.Update, ref count, keys.Length, values.Length, flags, out var err);
        var size = UserBytesOf(flags);
        for (; count < wanted && err == Errno.None; count += err == Errno.None ? 1 : 0)
        {
            err = UserUpdate(keys.Slice(count * KeySize, KeySize), values.Slice(count * size, size), flags);
        }

        return err;
    }

    /// <summary>Deletes many elements, in order, up to the first that fails.</summary>
    /// <param name="keys">The keys, side by side.</param>
    /// <param name="count">In: how many. Out: how many succeeded.</param>
    /// <param name="flags">Only <see cref="MapUpdateFlags.Lock"/>.</param>
    public Errno DeleteBatch(ReadOnlySpan<byte> keys, ref int count, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        using var writing = new Writing(this);
        var wanted = BeginBatch(MapBatchOps.Delete, ref count, keys.Length, int.MaxValue, flags, out var err);
        for (; count < wanted && err == Errno.None; count += err == Errno.None ? 1 : 0)
        {
            err = UserDelete(keys.Slice(count * KeySize, KeySize));
        }

        return err;
    }

    /// <summary>A lookup batch. The default walks by <see cref="GetNextKey"/>; the cursor is the last key.</summary>
    private protected virtual Errno ReadBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags)
    {
        var err = Errno.None;
        var last = inBatch;
        var size = UserBytesOf(flags);
        while (count < wanted)
        {
            var key = keys.Slice(count * KeySize, KeySize);
            err = GetNextKey(last, key);
            if (err != Errno.None)
            {
                break;
            }

            // The key itself is the cursor even where its element went meanwhile.
            err = UserRead(key, values.Slice(count * size, size), flags);
            key.CopyTo(outBatch);
            last = outBatch[..KeySize];
            if (err == Errno.None)
            {
                count++;
            }
            else if (err != Errno.ENOENT)
            {
                break;
            }
        }

        return err;
    }

    /// <summary>
    /// A lookup-and-delete batch. The default takes the first element again and again, by <see cref="NextKey"/> and
    /// <see cref="TakeValue"/>: nothing is left before it, so the cursor says nothing.
    /// </summary>
    private protected virtual Errno TakeBatch(
        ReadOnlySpan<byte> inBatch, Span<byte> outBatch, Span<byte> keys, Span<byte> values, int wanted, ref int count,
        MapUpdateFlags flags)
    {
        var err = Errno.None;
        var size = UserBytesOf(flags);
        var misses = 0;
        while (count < wanted && err == Errno.None)
        {
            var key = keys.Slice(count * KeySize, KeySize);
            err = GetNextKey(default, key);
            if (err != Errno.None)
            {
                break;
            }

            using (Core.Rcu.ReadLock())
            {
                err = TakeValue(key, values.Slice(count * size, size), flags, UserCall(flags));
            }

            key.CopyTo(outBatch);
            if (err == Errno.None)
            {
                count++;
            }
            else if (err == Errno.ENOENT)
            {
                // Somebody else was faster; but who is told of the same missing keys for ever must get out.
                err = ++misses > BatchMissesMax ? Errno.EAGAIN : Errno.None;
            }
        }

        return err;
    }

    // Hashes take BPF_F_CPU in look-ups of their per-CPU kinds only, which CheckFlags sees to.
    private static MapUpdateFlags AllowedIn(MapBatchOps op) => op switch
    {
        MapBatchOps.Lookup => MapUpdateFlags.Lock | MapUpdateFlags.Cpu,
        MapBatchOps.Update => MapUpdateFlags.Lock | CpuFlags,
        _ => MapUpdateFlags.Lock,
    };

    // Before anything is taken out: where the walk stopped must not be lost.
    private void CheckCursors(int inLength, int outLength)
    {
        if ((inLength != 0 && inLength < BatchCursorSize) || outLength < BatchCursorSize)
        {
            throw new ArgumentException(
                $"{this} has batch cursors of {BatchCursorSize} bytes, not {inLength} and {outLength}");
        }
    }

    private int BeginBatch(
        MapBatchOps op, ref int count, int keyBytes, int valueBytes, MapUpdateFlags flags, out Errno err)
    {
        ObjectDisposedException.ThrowIf(IsEnding, this);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var wanted = count;
        var writes = op != MapBatchOps.Lookup;
        var reads = op is MapBatchOps.Lookup or MapBatchOps.LookupAndDelete;
        err = (reads && !CanRead) || (writes && !CanWrite) ? Errno.EPERM
            : (BatchOps & op) == 0 ? Errno.ENOTSUPP
            : CheckFlags(flags, AllowedIn(op));
        if (err != Errno.None)
        {
            return 0;
        }

        if ((long)wanted * KeySize > keyBytes
            || (valueBytes != int.MaxValue && (long)wanted * UserBytesOf(flags) > valueBytes))
        {
            err = Errno.EFAULT;
            return 0;
        }

        count = 0;
        return wanted;
    }
}
