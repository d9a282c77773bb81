using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Called for every element; a result other than 0 ends the walk.</summary>
/// <param name="key">Address of the key.</param>
/// <param name="value">Address of the value; of per-CPU maps, the calling CPU's.</param>
public delegate ulong MapElemCallback(ulong key, ulong value);

// The helpers that programs call: values are addresses in live memory, good as long as the caller's RCU reader lasts.
public abstract partial class BpfMap
{
    private HashTable? _direct;
    private MapOwner? _owner;

    /// <summary>
    /// Whether a program may use the map, which becomes that of programs like it where it had no owner
    /// (<c>bpf_prog_map_compatible</c>).
    /// </summary>
    internal bool TryOwn(MapOwner asked, bool tailCalls) => !MapOwner.IsFor(Type)
        || Interlocked.CompareExchange(ref _owner, asked, null) is not { } owner
        || owner.Admits(asked, Type, tailCalls);

    /// <summary>Finds a value (<c>bpf_map_lookup_elem</c>).</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="cpu">The CPU the caller runs on.</param>
    /// <returns>Its address, or 0. Of maps of maps: the address of the inner map.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe ulong ProgLookup(ReadOnlySpan<byte> key, int cpu)
    {
        // The usual hash with the usual key, without a virtual call. What is not found here may still be there.
        if (_direct is { } table && key.Length == sizeof(uint) && (uint)cpu < (uint)_cpuCount)
        {
            var wanted = new Key4(Unsafe.ReadUnaligned<uint>(in MemoryMarshal.GetReference(key)));
            if (HashTable.TryWalk(new BlockElems(table), table.BucketOf(wanted), wanted, out _, out _, out var elem))
            {
                GC.KeepAlive(this);
                return (ulong)(elem + table.PrefixBytes);
            }
        }

        return ProgLookupSlow(key, cpu);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong ProgLookupSlow(ReadOnlySpan<byte> key, int cpu)
    {
        CheckProg(key.Length, cpu);
        return CheckFound(FindValue(key, MapCall.Program(cpu)));
    }

    /// <summary>Programs' look-ups may search this table, as <see cref="FindValue"/> would do nothing else.</summary>
    private protected void LookUpIn(HashTable table) => _direct = table.KeySize == sizeof(uint) ? table : null;

    /// <summary>Finds another CPU's value (<c>bpf_map_lookup_percpu_elem</c>).</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="cpu">Whose value.</param>
    /// <returns>Its address; 0 also when there is no such CPU.</returns>
    public ulong ProgLookupPercpu(ReadOnlySpan<byte> key, uint cpu)
    {
        CheckProg(key.Length, 0);
        return IsPerCpu && cpu < (uint)_cpuCount ? CheckFound(FindValue(key, MapCall.Program((int)cpu))) : 0;
    }

    /// <summary>Finds a value in live memory: of per-CPU maps, the CPU's that this thread plays.</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <returns>Its bytes, or nothing. Use them inside an RCU reader.</returns>
    /// <exception cref="InvalidOperationException"> The values are maps or sockets, or have special fields, whose
    /// bytes are nobody's to write: see such a map as one of a C# struct
    /// (<see cref="BpfMapExtensions.As{TKey, TValue}"/>). </exception>
    public unsafe Span<byte> LookupSpan(ReadOnlySpan<byte> key)
    {
        if (!HasValuesInMemory || Layout.HasSpecials)
        {
            throw new InvalidOperationException($"the values of {this} are not plain bytes");
        }

        CheckKey(key);
        var at = Checked(ProgLookup(key, Core.CurrentCpu));
        return at == 0 ? default : new((void*)at, ValueSize);
    }

    /// <summary>Creates or replaces an element (<c>bpf_map_update_elem</c>).</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="value"><see cref="ValueSize"/> bytes; those of special fields are ignored.</param>
    /// <param name="flags">Create, replace, lock.</param>
    /// <param name="cpu">The CPU the caller runs on.</param>
    public Errno ProgUpdate(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, int cpu)
    {
        CheckProg(key.Length, cpu);
        CheckProgValue(value.Length, nameof(value));
        return UpdateValue(key, value, flags, MapCall.Program(cpu));
    }

    /// <summary>Deletes an element (<c>bpf_map_delete_elem</c>).</summary>
    /// <param name="key"><see cref="KeySize"/> bytes.</param>
    /// <param name="cpu">The CPU the caller runs on.</param>
    public Errno ProgDelete(ReadOnlySpan<byte> key, int cpu)
    {
        CheckProg(key.Length, cpu);
        return DeleteValue(key, MapCall.Program(cpu));
    }

    /// <summary>Adds a value to a queue, stack or bloom filter (<c>bpf_map_push_elem</c>).</summary>
    /// <param name="value">At least <see cref="ValueSize"/> bytes.</param>
    /// <param name="flags">Of queues and stacks: <see cref="MapUpdateFlags.Exist"/> pushes out where
    /// there is no room.</param>
    public Errno ProgPush(ReadOnlySpan<byte> value, MapUpdateFlags flags)
    {
        CheckProgValue(value.Length, nameof(value));
        return PushValue(value, flags);
    }

    /// <summary>Takes a value from a queue or stack (<c>bpf_map_pop_elem</c>).</summary>
    /// <param name="value">Room for at least <see cref="ValueSize"/> bytes.</param>
    public Errno ProgPop(Span<byte> value)
    {
        CheckProgValue(value.Length, nameof(value));
        return PopValue(value);
    }

    /// <summary>Reads the next value of a queue or stack, or asks a bloom filter (<c>bpf_map_peek_elem</c>).</summary>
    /// <param name="value">At least <see cref="ValueSize"/> bytes.</param>
    public Errno ProgPeek(Span<byte> value)
    {
        CheckProgValue(value.Length, nameof(value));
        return PeekValue(value);
    }

    /// <summary>
    /// Visits every element (<c>bpf_for_each_map_elem</c>); elements that come or go meanwhile may be missed.
    /// </summary>
    /// <param name="callback">Called inside an RCU reader; may change the map.</param>
    /// <param name="flags">Must be 0.</param>
    /// <param name="cpu">The CPU the caller runs on.</param>
    /// <returns>Number of elements visited, or an <see cref="Errno"/>.</returns>
    public long ForEachElem(MapElemCallback callback, ulong flags, int cpu)
    {
        ArgumentNullException.ThrowIfNull(callback);
        CheckCpu(cpu);
        return flags != 0 ? (long)Errno.EINVAL : VisitValues(Guarded(callback), MapCall.Program(cpu));
    }

    /// <summary>Address of a byte of the only value of a data section map.</summary>
    /// <param name="offsetBytes">Offset in the value.</param>
    /// <param name="address">The address.</param>
    public virtual Errno DirectValueAddress(uint offsetBytes, out ulong address)
    {
        address = 0;
        return Errno.ENOTSUPP;
    }

    /// <summary>Finds a value.</summary>
    /// <returns>Its address, or 0.</returns>
    protected abstract ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller);

    /// <summary>Creates or replaces an element.</summary>
    protected abstract Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller);

    /// <summary>Deletes an element.</summary>
    protected abstract Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller);

    /// <summary>The key after a key; an empty or unknown key starts over.</summary>
    protected virtual Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey) => Errno.ENOTSUPP;

    /// <summary>
    /// Copies a value out for user space. The default finds it and copies it with <see cref="CopyOut"/>.
    /// </summary>
    /// <remarks>
    /// Override it, and copy under a lock, where a value's memory may be another key's a moment later.
    /// </remarks>
    protected virtual Errno ReadValue(ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (!IsPerCpu || caller.HasOnePart)
        {
            var at = CheckFound(FindValue(key, caller));
            if (at == 0)
            {
                return Errno.ENOENT;
            }

            CopyOut(value, at, flags);
            return Errno.None;
        }

        for (var place = 0; place < Core.PossibleCpus.Length; place++)
        {
            var at = CheckFound(FindValue(key, caller with { Cpu = Core.PossibleCpus[place] }));
            if (at == 0)
            {
                return Errno.ENOENT;
            }

            CopyOut(value.Slice(place * Layout.StrideBytes, ValueSize), at, flags);
        }

        return Errno.None;
    }

    /// <summary>Copies a value out and deletes its element.</summary>
    protected virtual Errno TakeValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller) =>
            Errno.ENOTSUPP;

    /// <summary>Calls back for every element.</summary>
    /// <returns>Number of elements visited, or an <see cref="Errno"/>.</returns>
    protected virtual long VisitValues(MapElemCallback callback, in MapCall caller) => (long)Errno.EOPNOTSUPP;

    /// <summary>Adds a value to a map without keys.</summary>
    protected virtual Errno PushValue(ReadOnlySpan<byte> value, MapUpdateFlags flags) => Errno.EOPNOTSUPP;

    /// <summary>Takes a value from a map without keys.</summary>
    protected virtual Errno PopValue(Span<byte> value) => Errno.EOPNOTSUPP;

    /// <summary>Reads a value of a map without keys.</summary>
    protected virtual Errno PeekValue(Span<byte> value) => Errno.EOPNOTSUPP;

    /// <summary>Copies the plain bytes of a value into value memory; special fields there keep what they own.</summary>
    /// <param name="value">Address of the value.</param>
    /// <param name="source">At least <see cref="ValueSize"/> bytes.</param>
    /// <param name="flags">With <see cref="MapUpdateFlags.Lock"/>, under the value's own spin lock.</param>
    protected void CopyIn(ulong value, ReadOnlySpan<byte> source, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckCopy(value, flags);
        if ((flags & MapUpdateFlags.Lock) == 0)
        {
            Layout.CopyIn(value, source);
            return;
        }

        using var held = new ValueSpinLock(Core, value + (ulong)Layout.LockOffset);
        Layout.CopyIn(value, source);
    }

    /// <summary>Copies the plain bytes of a value out; special fields read as zero.</summary>
    /// <param name="target">At least <see cref="ValueSize"/> bytes.</param>
    /// <param name="value">Address of the value.</param>
    /// <param name="flags">With <see cref="MapUpdateFlags.Lock"/>, under the value's own spin lock.</param>
    protected void CopyOut(Span<byte> target, ulong value, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        CheckCopy(value, flags);
        if ((flags & MapUpdateFlags.Lock) == 0)
        {
            Layout.CopyOut(target, value);
            return;
        }

        using var held = new ValueSpinLock(Core, value + (ulong)Layout.LockOffset);
        Layout.CopyOut(target, value);
    }

    /// <summary>
    /// Calls back for one element of a map whose keys are not in native memory: a program may read the key meanwhile.
    /// </summary>
    /// <param name="callback">What <see cref="VisitValues"/> was given.</param>
    /// <param name="key">The key.</param>
    /// <param name="value">Address of the value.</param>
    /// <returns>Other than 0 to end the walk.</returns>
    protected unsafe ulong CallBack(MapElemCallback callback, ReadOnlySpan<byte> key, ulong value)
    {
        ArgumentNullException.ThrowIfNull(callback);
        var block = Core.Heap.AllocateBlock("key for a callback", Math.Max(key.Length, 1));
        try
        {
            key.CopyTo(new Span<byte>((void*)block, key.Length));
            return callback(block, value);
        }
        finally
        {
            Core.Heap.TryFree(block);
        }
    }

    /// <summary>A value in live memory as a C# struct. Use it inside an RCU reader.</summary>
    /// <param name="value">Address of the value; 0 gives a null reference.</param>
    /// <exception cref="ArgumentException">No value begins there, or the struct has another size or other
    /// special fields.</exception>
    protected unsafe ref T ValueAt<T>(ulong value)
        where T : unmanaged
    {
        if (value != 0)
        {
            CheckValue(value, out _, out _);
            CheckValueType<T>();
        }

        return ref System.Runtime.CompilerServices.Unsafe.AsRef<T>((void*)value);
    }

    /// <summary>Zeroes the plain bytes of a value; special fields keep what they own.</summary>
    /// <param name="value">Address of the value.</param>
    protected void ZeroPlain(ulong value)
    {
        CheckCopy(value, MapUpdateFlags.Any);
        Layout.ZeroPlain(value);
    }

    /// <summary>The checks on update flags that hash-like maps share.</summary>
    /// <param name="exists">Whether the key is there.</param>
    /// <param name="flags">The flags.</param>
    protected static Errno CheckExistence(bool exists, MapUpdateFlags flags) => (flags & ~MapUpdateFlags.Lock) switch
    {
        MapUpdateFlags.NoExist when exists => Errno.EEXIST,
        MapUpdateFlags.Exist when !exists => Errno.ENOENT,
        _ => Errno.None,
    };
}
