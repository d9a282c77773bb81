using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>A hash map whose keys and values are C# structs.</summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> and <see cref="BpfSpinLock"/> fields are the
/// special fields.</typeparam>
public sealed unsafe class HashMap<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : HashMap, ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    // Of a type and not of a map, so that the JIT knows it where it compiles a look-up.
    private static readonly bool HasSpecials = StructFields.Of<TValue>().Any(f => f.IsSpecial);

    // All ones in the plain bytes of the first words.
    private static readonly ulong PlainBits0 = PlainBitsOf(0);
    private static readonly ulong PlainBits1 = PlainBitsOf(1);
    private static readonly ulong PlainBits2 = PlainBitsOf(2);
    private static readonly ulong PlainBits3 = PlainBitsOf(3);

    // The same of all words, where there are others than these.
    private static readonly ulong[] PlainBits = !HasSpecials || IsOfFewWords ? []
        : [.. Enumerable.Range(0, ValueLayout.RoundUp8(sizeof(TValue)) / sizeof(ulong)).Select(PlainBitsOf)];

    // Null where user space may not read.
    private readonly HashTable? _readTable;
    private readonly bool _isLookupChecked;

    /// <summary>Makes a hash.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Capacity.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <param name="flags">Creation flags.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public HashMap(KernelCore core, uint maxEntries, string name = "hash", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<TKey, TValue>(core, name, BpfMapType.Hash, maxEntries, flags))
    {
        _readTable = (flags & MapFlags.WrOnly) == 0 ? Table : null;
        _isLookupChecked = IsLookupChecked;
        LookUpIn(Table);
    }

    BpfMap ITypedMap<TKey, TValue>.Map => this;

    /// <summary>Finds a value in live memory. It stays the key's until the element is updated or deleted.</summary>
    /// <param name="key">The key.</param>
    /// <returns>The value, or a null reference (<see cref="Unsafe.IsNullRef{T}"/>). Use it
    /// inside an RCU reader.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref TValue Lookup(TKey key)
    {
        byte* elem;
        var isFound = sizeof(TKey) switch
        {
            sizeof(uint) => TryFind(new Key4(Unsafe.BitCast<TKey, uint>(key)), out elem),
            sizeof(ulong) => TryFind(new Key8(Unsafe.BitCast<TKey, ulong>(key)), out elem),
            _ => TryFindNothing(out elem),
        };
        if (isFound && !_isLookupChecked)
        {
            GC.KeepAlive(this);
            return ref Unsafe.AsRef<TValue>(elem + Elems.PrefixBytes);
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
        var isCopied = sizeof(TKey) switch
        {
            sizeof(uint) => TryCopy(new Key4(Unsafe.BitCast<TKey, uint>(key)), out value),
            sizeof(ulong) => TryCopy(new Key8(Unsafe.BitCast<TKey, ulong>(key)), out value),
            _ => TryCopyNothing(out value),
        };
        if (isCopied)
        {
            return true;
        }

        // A variable of its own: one whose address goes elsewhere does not stay in registers.
        var isFound = TryGetSlow(key, out var slow);
        value = slow;
        return isFound;
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
            return IsFast && flags <= MapUpdateFlags.Exist && TryUpdate(key, at, flags, out var err)
                ? err
                : UpdateElem(new(&key, sizeof(TKey)), new(at, sizeof(TValue)), flags);
        }
    }

    /// <summary>Deletes an element.</summary>
    public Errno Delete(TKey key) => IsFast && TryDelete(key, out var err) ? err : DeleteElem(new(&key, sizeof(TKey)));

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

    private StructElems<TKey, TValue> Elems => new(Table);

    // Nobody can tell by which CPU an element came where it can own nothing.
    private PcpuFreelistHead* Stock =>
        HasSpecials ? Pool.FreeSlots!.Stock(Core.CurrentCpu) : Pool.FreeSlots!.StockNearby();

    private static ReadOnlySpan<byte> BytesOf<T>(ref T value)
        where T : unmanaged => MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref value, 1));

    // False also where the elements lie in several blocks, and where a writer was there.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryFind<TElemKey>(TElemKey key, out byte* elem)
        where TElemKey : struct, IElemKey
    {
        var table = Table;
        return HashTable.TryWalk(
            new StructElems<TKey, TValue>(table), table.BucketOf(key), key, out _, out _, out elem);
    }

    private static bool TryFindNothing(out byte* elem)
    {
        elem = null;
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ref TValue LookupSlow(TKey key)
    {
        var elem = FindElem(new(&key, sizeof(TKey)));
        return ref Unsafe.AsRef<TValue>((void*)(elem < 0 ? 0 : Checked(Pool.ValueOf(elem))));
    }

    // False: nothing was found, or it changed while it was copied, or it may not be copied. The slow way knows.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryCopy<TElemKey>(TElemKey key, out TValue value)
        where TElemKey : struct, IElemKey
    {
        Unsafe.SkipInit(out value);
        if (_readTable is not { } table)
        {
            return false;
        }

        var elems = new StructElems<TKey, TValue>(table);
        var bucket = table.BucketOf(key);
        var seq = bucket->Lock.Read();
        if (!HashTable.TryWalk(elems, bucket, key, out _, out _, out var elem))
        {
            return false;
        }

        if (HasSpecials)
        {
            CopyOut(ref Unsafe.As<TValue, byte>(ref value), elem + elems.PrefixBytes);
        }
        else
        {
            value = Unsafe.ReadUnaligned<TValue>(elem + elems.PrefixBytes);
        }

        if (!bucket->Lock.IsStill(seq))
        {
            return false;
        }

        GC.KeepAlive(this);
        return true;
    }

    private static bool IsOfFewWords => sizeof(TValue) is 8 or 16 or 24 or 32;

    // Special fields read as zero. The usual sizes word by word: a loop would cost as much as its words.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyOut(ref byte target, byte* value)
    {
        if (!IsOfFewWords)
        {
            CopyOutWords(ref target, value);
            return;
        }

        Unsafe.WriteUnaligned(ref target, *(ulong*)value & PlainBits0);
        if (sizeof(TValue) >= 16)
        {
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, 8), *(ulong*)(value + 8) & PlainBits1);
        }

        if (sizeof(TValue) >= 24)
        {
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, 16), *(ulong*)(value + 16) & PlainBits2);
        }

        if (sizeof(TValue) >= 32)
        {
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, 24), *(ulong*)(value + 24) & PlainBits3);
        }
    }

    // Reads whole words of value memory.
    private static void CopyOutWords(ref byte target, byte* value)
    {
        ref var bits = ref MemoryMarshal.GetArrayDataReference(PlainBits);
        const int Word = sizeof(ulong);
        var words = sizeof(TValue) / Word;
        for (var i = 0; i < words; i++)
        {
            Unsafe.WriteUnaligned(ref Unsafe.Add(ref target, i * Word), ((ulong*)value)[i] & Unsafe.Add(ref bits, i));
        }

        if (sizeof(TValue) % Word != 0)
        {
            var last = ((ulong*)value)[words] & Unsafe.Add(ref bits, words);
            Unsafe.CopyBlockUnaligned(
                ref Unsafe.Add(ref target, words * Word), ref Unsafe.As<ulong, byte>(ref last),
                (uint)(sizeof(TValue) % Word));
        }
    }

    private static ulong PlainBitsOf(int word)
    {
        var bits = ulong.MaxValue;
        foreach (var field in StructFields.Of<TValue>().Where(f => f.IsSpecial))
        {
            var first = field.OffsetBytes - (word * sizeof(ulong));
            for (var at = Math.Max(0, first); at < Math.Min(sizeof(ulong), first + field.SizeBytes); at++)
            {
                bits &= ~(0xffUL << (8 * at));
            }
        }

        return bits;
    }

    private static bool TryCopyNothing(out TValue value)
    {
        value = default;
        return false;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryGetSlow(TKey key, out TValue value)
    {
        value = default;
        return LookupElem(new(&key, sizeof(TKey)), MemoryMarshal.AsBytes(new Span<TValue>(ref value))) == Errno.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryUpdate(TKey key, TValue* value, MapUpdateFlags flags, out Errno err) => sizeof(TKey) switch
    {
        sizeof(uint) => TryUpdate(new Key4(Unsafe.BitCast<TKey, uint>(key)), value, flags, out err),
        sizeof(ulong) => TryUpdate(new Key8(Unsafe.BitCast<TKey, ulong>(key)), value, flags, out err),
        _ => TryUpdate(new KeyBytes((byte*)&key, sizeof(TKey)), value, flags, out err),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryUpdate<TElemKey>(TElemKey key, TValue* value, MapUpdateFlags flags, out Errno err)
        where TElemKey : struct, IElemKey => HasSpecials
        ? TryUpdateFast(Elems, key, new LaidOutValue((byte*)value, Layout), flags, Stock, isUncounted: true, out err)
        : TryUpdateFast(Elems, key, new StructValue<TValue>(value), flags, Stock, isUncounted: true, out err);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryDelete(TKey key, out Errno err) => sizeof(TKey) switch
    {
        sizeof(uint) =>
            TryDeleteFast(Elems, new Key4(Unsafe.BitCast<TKey, uint>(key)), Stock, isUncounted: true, out err),
        sizeof(ulong) =>
            TryDeleteFast(Elems, new Key8(Unsafe.BitCast<TKey, ulong>(key)), Stock, isUncounted: true, out err),
        _ => TryDeleteFast(Elems, new KeyBytes((byte*)&key, sizeof(TKey)), Stock, isUncounted: true, out err),
    };
}
