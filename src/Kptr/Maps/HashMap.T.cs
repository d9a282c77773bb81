using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>A hash map whose keys and values are C# structs.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> and <see cref="BpfSpinLock"/> fields are the special fields.</typeparam>
public sealed unsafe class HashMap<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue> : HashMap, ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    private readonly HashBucket* _buckets;
    private readonly byte* _base;
    private readonly uint _mask;
    private readonly int _bits;
    // Elements that may be found without asking further, none where they do not lie in one block; of these, that may be copied
    // out; of these, that have no special fields.
    private readonly uint _slotCount;
    private readonly FreeList? _free;
    private readonly uint _readableCount;
    private readonly uint _plainCount;
    private readonly bool _hasSpecials;

    /// <summary>Makes a hash.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Capacity.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <param name="flags">Creation flags.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public HashMap(KernelCore core, uint maxEntries, string name = "hash", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<TKey, TValue>(core, name, BpfMapType.Hash, maxEntries, flags))
    {
        _buckets = Table.Buckets;
        _base = Pool.Base;
        _free = Pool.FreeSlots;
        _mask = Table.Mask;
        _bits = Table.Bits;
        _hasSpecials = Layout.HasSpecials;
        _slotCount = _base == null ? 0 : (uint)Pool.SlotCount;
        _readableCount = (flags & MapFlags.WrOnly) != 0 ? 0 : _slotCount;
        _plainCount = _hasSpecials ? 0 : _readableCount;
    }

    BpfMap ITypedMap<TKey, TValue>.Map => this;

    private ElemShape<TKey, TValue> Shape => new(!_hasSpecials);

    /// <summary>Finds a value in live memory. It stays the key's until the element is updated or deleted.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The value, or a null reference (<see cref="Unsafe.IsNullRef{T}"/>). Use it inside an RCU reader.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref TValue Lookup(TKey key)
    {
        if (sizeof(TKey) is sizeof(uint) or sizeof(ulong))
        {
            var elem = Volatile.Read(ref BucketOf(key)->Head);
            while ((uint)elem < _slotCount)
            {
                var at = _base + ((nint)elem * Shape.StrideBytes);
                if (IsKey(at + Shape.KeyOffset, key))
                {
                    return ref Unsafe.AsRef<TValue>(at + Shape.ValueOffset);
                }

                elem = Volatile.Read(ref *(int*)at);
            }
        }

        return ref LookupSlow(key);
    }

    /// <summary>Copies a value out, never a mix of two; special fields read as zero.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">Receives the value.</param>
    /// <returns>False when the key is not there.</returns>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGetValue(TKey key, out TValue value)
    {
        if (sizeof(TKey) is sizeof(uint) or sizeof(ulong))
        {
            var bucket = BucketOf(key);
            var word = Volatile.Read(ref *(long*)bucket);
            var elem = HashBucket.HeadOf(word);
            while ((uint)elem < _plainCount)
            {
                var at = _base + ((nint)elem * Shape.StrideBytes);
                if (IsKey(at + Shape.KeyOffset, key))
                {
                    value = Unsafe.ReadUnaligned<TValue>(at + Shape.ValueOffset);
                    if (bucket->IsStill(word))
                    {
                        return true;
                    }

                    break;
                }

                elem = Volatile.Read(ref *(int*)at);
            }
        }

        // A copy of its own, so that the one above can stay in registers.
        var found = TryGetElse(key, out var other);
        value = other;
        return found;
    }

    /// <summary>Finds a value in live memory, and makes a zeroed one where the key has none.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The value. Use it inside an RCU reader.</returns>
    /// <remarks>Under the recycle policy a new value may hold a kptr that a deleted element left there.</remarks>
    /// <exception cref="InvalidOperationException">The map is full.</exception>
    public ref TValue LookupOrInit(TKey key)
    {
        while (true)
        {
            ref var found = ref Lookup(key);
            if (!Unsafe.IsNullRef(ref found))
            {
                return ref found;
            }

            var err = Update(key, default, MapUpdateFlags.NoExist);
            if (err is not (Errno.None or Errno.EEXIST))
            {
                throw new InvalidOperationException($"{this} cannot take another key: {err}");
            }
        }
    }

    /// <summary>Creates or replaces an element. Special fields of <paramref name="value"/> are ignored.</summary>
    public Errno Update(TKey key, in TValue value, MapUpdateFlags flags = MapUpdateFlags.Any)
    {
        fixed (TValue* at = &value)
        {
            return IsFast && flags <= MapUpdateFlags.Exist && TryUpdateFast(Shape, (byte*)&key, (byte*)at, flags, Stock, isUncounted: true, out var err)
                ? err
                : UpdateElem(new(&key, sizeof(TKey)), new(at, sizeof(TValue)), flags);
        }
    }

    /// <summary>Deletes an element.</summary>
    public Errno Delete(TKey key) => IsFast && TryDeleteFast(Shape, (byte*)&key, Stock, isUncounted: true, out var err)
        ? err
        : DeleteElem(new(&key, sizeof(TKey)));

    /// <summary>Copies a value out and deletes its element; what its special fields owned is destroyed.</summary>
    public Errno LookupAndDelete(TKey key, out TValue value)
    {
        value = default;
        return LookupAndDeleteElem(BytesOf(ref key), MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref value, 1)));
    }

    /// <summary>All elements at about this moment, special fields as zero.</summary>
    public IReadOnlyList<KeyValuePair<TKey, TValue>> Snapshot()
    {
        var all = new List<KeyValuePair<TKey, TValue>>();
        TKey key = default, next;
        var keyBytes = ReadOnlySpan<byte>.Empty;
        while (GetNextKey(keyBytes, new Span<byte>(&next, sizeof(TKey))) == Errno.None)
        {
            key = next;
            if (TryGetValue(key, out var value))
            {
                all.Add(new(key, value));
            }

            keyBytes = new(&key, sizeof(TKey));
        }

        return all;
    }

    // Nobody can tell by which CPU an element came where it can own nothing.
    private StockUse Stock => _hasSpecials ? _free!.StockOf(Core.CurrentCpu) : _free!.StockOfThread();

    private static ReadOnlySpan<byte> BytesOf<T>(ref T value)
        where T : unmanaged => MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref value, 1));

    // By value: a key whose address is taken does not stay in its register.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsKey(byte* at, TKey key) => sizeof(TKey) == sizeof(uint)
        ? *(uint*)at == Unsafe.As<TKey, uint>(ref key)
        : *(ulong*)at == Unsafe.As<TKey, ulong>(ref key);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private HashBucket* BucketOf(TKey key) => _buckets + ((sizeof(TKey) == sizeof(uint)
        ? KeyHash.Of4(Unsafe.As<TKey, uint>(ref key), _bits)
        : KeyHash.Of8(Unsafe.As<TKey, ulong>(ref key), _bits)) & _mask);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref TValue LookupSlow(TKey key)
    {
        var elem = Table.Find(BytesOf(ref key));
        return ref elem < 0 ? ref Unsafe.NullRef<TValue>() : ref Unsafe.AsRef<TValue>((void*)Pool.ValueOf(elem));
    }

    // With special fields to zero, or slow.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryGetElse(TKey key, out TValue value)
    {
        if (sizeof(TKey) is sizeof(uint) or sizeof(ulong))
        {
            var bucket = BucketOf(key);
            var word = Volatile.Read(ref *(long*)bucket);
            var elem = HashBucket.HeadOf(word);
            while ((uint)elem < _readableCount)
            {
                var at = _base + ((nint)elem * Shape.StrideBytes);
                if (IsKey(at + Shape.KeyOffset, key))
                {
                    value = Unsafe.ReadUnaligned<TValue>(at + Shape.ValueOffset);
                    Layout.ClearSpecials(ref Unsafe.As<TValue, byte>(ref value));
                    if (bucket->IsStill(word))
                    {
                        return true;
                    }

                    break;
                }

                elem = Volatile.Read(ref *(int*)at);
            }
        }

        return TryGetSlow(key, out value);
    }

    private bool TryGetSlow(TKey key, out TValue value)
    {
        value = default;
        return LookupElem(new(&key, sizeof(TKey)), MemoryMarshal.AsBytes(new Span<TValue>(ref value))) == Errno.None;
    }
}
