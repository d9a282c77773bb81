using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Maps;

// The bpf() system call: bytes in, bytes out, special fields never. Kernel: kernel/bpf/syscall.c (6.12).
public abstract partial class BpfMap
{
    private readonly RankedLock _freezeLock = new(LockRank.MapFreeze);
    private long _writersActive;
    private bool _isFrozen;

    /// <summary>Whether user space can no longer write.</summary>
    public bool IsFrozen => Volatile.Read(ref _isFrozen);

    /// <summary>Copies a value out; special fields read as zero (<c>BPF_MAP_LOOKUP_ELEM</c>; queues: peek).</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="value">Receives <see cref="UserValueSize"/> bytes.</param>
    /// <param name="flags"><see cref="MapUpdateFlags.Lock"/>, <see cref="MapCpu.Only"/>.</param>
    public Errno LookupElem(ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckSizes(key, value.Length, flags);
        if (!HasCpuFlags && (flags & ~MapUpdateFlags.Lock) != 0)
        {
            return Errno.EINVAL;
        }

        return !CanRead ? Errno.EPERM
            : CheckFlags(flags, MapUpdateFlags.Lock | MapUpdateFlags.Cpu) is var bad and not Errno.None ? bad
            : UserRead(key, value, flags);
    }

    /// <summary>
    /// Writes a value; special fields of the element are not written (<c>BPF_MAP_UPDATE_ELEM</c>; queues: push).
    /// </summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="value"><see cref="UserValueSize"/> bytes; <see cref="ValueSize"/> where
    /// the flags name CPUs.</param>
    /// <param name="flags">Create, replace, lock; on per-CPU maps <see cref="MapCpu.Only"/> and
    /// <see cref="MapUpdateFlags.AllCpus"/>.</param>
    public Errno UpdateElem(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckSizes(key, value.Length, flags);
        using var writing = new Writing(this);
        return !CanWrite ? Errno.EPERM
            : CheckFlags(flags, ~MapUpdateFlags.Any) is var bad and not Errno.None ? bad
            : UserUpdate(key, value, flags);
    }

    /// <summary>Deletes an element (<c>BPF_MAP_DELETE_ELEM</c>).</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    public Errno DeleteElem(ReadOnlySpan<byte> key)
    {
        CheckKey(key);
        using var writing = new Writing(this);
        return CanWrite ? UserDelete(key) : Errno.EPERM;
    }

    /// <summary>
    /// Copies a value out and deletes its element (queues: pop). References in special fields are
    /// destroyed, never handed out.
    /// </summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="value">Receives <see cref="UserValueSize"/> bytes.</param>
    /// <param name="flags">Only <see cref="MapUpdateFlags.Lock"/>.</param>
    public Errno LookupAndDeleteElem(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckSizes(key, value.Length, flags);
        if ((flags & ~MapUpdateFlags.Lock) != 0)
        {
            return Errno.EINVAL;
        }

        using var writing = new Writing(this);
        if (!CanRead || !CanWrite)
        {
            return Errno.EPERM;
        }

        if (flags != MapUpdateFlags.Any && (Type is BpfMapType.Queue or BpfMapType.Stack || !HasLock))
        {
            return Errno.EINVAL;
        }

        using var reader = Core.Rcu.ReadLock();
        return TakeValue(key, value, flags, MapCall.User(Core.CurrentCpu));
    }

    /// <summary>Finds the key after a key, in the map's own order (<c>BPF_MAP_GET_NEXT_KEY</c>).</summary>
    /// <param name="key">Empty for the first key; a key that is gone starts over.</param>
    /// <param name="nextKey">Receives <see cref="KeySize"/> bytes.</param>
    /// <returns><see cref="Errno.ENOENT"/> after the last.</returns>
    public Errno GetNextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        CheckKey(key.IsEmpty ? nextKey : key);
        ArgumentOutOfRangeException.ThrowIfLessThan(nextKey.Length, KeySize, nameof(nextKey));
        if (!CanRead)
        {
            return Errno.EPERM;
        }

        using var reader = Core.Rcu.ReadLock();
        return NextKey(key, nextKey[..KeySize]);
    }

    /// <summary>Forbids user space to write from now on (<c>BPF_MAP_FREEZE</c>).</summary>
    /// <returns><see cref="Errno.ENOTSUPP"/> for maps with special fields, <see cref="Errno.EPERM"/> for those that
    /// user space cannot write, frozen ones among them, <see cref="Errno.EBUSY"/> while somebody writes.</returns>
    public Errno Freeze()
    {
        if (Type == BpfMapType.StructOps || Layout.HasSpecials)
        {
            return Errno.ENOTSUPP;
        }

        // Who may not write may not freeze either, and nobody may write to what is frozen.
        if (!CanWrite)
        {
            return Errno.EPERM;
        }

        using (_freezeLock.Enter())
        {
            if (Interlocked.Read(ref _writersActive) != 0 || _isFrozen)
            {
                return Errno.EBUSY;
            }

            Volatile.Write(ref _isFrozen, true);
            OnWriteBlocked();
            return Errno.None;
        }
    }

    /// <summary>Whether user space may not write now: read-only, frozen or freed.</summary>
    private protected bool IsWriteBlocked => (Flags & MapFlags.RdOnly) != 0 || Volatile.Read(ref _isFrozen) || IsEnding;

    /// <summary>User space may not write any more. Waits for writers that are not counted.</summary>
    private protected virtual void OnWriteBlocked()
    {
    }

    /// <summary>A system call's read of one value. The default finds the value and copies it.</summary>
    private protected virtual Errno UserRead(ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags)
    {
        using var reader = Core.Rcu.ReadLock();
        return ReadValue(key, value, flags & MapUpdateFlags.Lock, UserCall(flags));
    }

    private protected virtual Errno UserUpdate(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        var call = UserCall(flags);
        if (HasCpuFlags && IsPerCpu && TakeCpus(ref flags) is var bad and not Errno.None)
        {
            return bad;
        }

        using var reader = Core.Rcu.ReadLock();
        return UpdateValue(key, value, flags, call);
    }

    private protected virtual Errno UserDelete(ReadOnlySpan<byte> key)
    {
        using var reader = Core.Rcu.ReadLock();
        return DeleteValue(key, MapCall.User(Core.CurrentCpu));
    }

    private bool HasLock => Record.Has(BtfFieldKind.SpinLock);

    private bool CanRead => (Flags & MapFlags.WrOnly) == 0;

    private bool CanWrite => (Flags & MapFlags.RdOnly) == 0 && !IsFrozen;

    private void CheckSizes(ReadOnlySpan<byte> key, int valueLength, MapUpdateFlags flags)
    {
        CheckKey(key);
        var wanted = UserBytesOf(flags);
        if (valueLength != wanted)
        {
            throw new ArgumentException($"{this} has values of {wanted} bytes, not {valueLength}");
        }
    }

    private void CheckKey(ReadOnlySpan<byte> key)
    {
        ObjectDisposedException.ThrowIf(IsEnding, this);
        if (key.Length != KeySize)
        {
            throw new ArgumentException($"{this} has keys of {KeySize} bytes, not {key.Length}", nameof(key));
        }
    }

    /// <summary>A system call that writes is under way: the map cannot be frozen now.</summary>
    private readonly ref struct Writing
    {
        private readonly BpfMap _map;

        internal Writing(BpfMap map)
        {
            _map = map;
            Interlocked.Increment(ref map._writersActive);
        }

        public void Dispose() => Interlocked.Decrement(ref _map._writersActive);
    }
}
