using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Forms;

/// <summary>Faults of tries.</summary>
public enum TrieFault
{
    None,
    FindsShortest,
    FindsExactOnly,
    ComparesWholeBytes,
    ComparesBehindPrefix,
    ForgetsDefault,
    DeletesBelow,
    TakesLongPrefixes,
    ShorterFirst,
    FullAnswersE2Big,
    ReplaceForgetsKptr,
    KeepsShorterAway,
}

/// <summary>A trie that is a list: every prefix is looked at.</summary>
public sealed class PlainTrie : BpfMap
{
    private readonly Lock _lock = new();
    private readonly List<(byte[] Key, int Slot)> _prefixes = [];
    private readonly ValuePool _pool;
    private readonly TrieFault _fault;

    public PlainTrie(KernelCore core, TrieFault fault)
        : base(core, StructSpec.Of<ulong, NaiveValue>(core, "trie", BpfMapType.Hash, 6))
    {
        _fault = fault;
        _pool = CreatePool(6);
    }

    public static MapCapabilities Can { get; } = MapCapabilities.Trie with
    {
        Batches = MapBatchOps.Lookup | MapBatchOps.Update | MapBatchOps.Delete,
    };

    protected override MapBatchOps BatchOps => Can.Batches;

    private int LengthMax => (KeySize - sizeof(uint)) * 8;

    protected override bool TryGetKey(ValuePool pool, int slot, Span<byte> key)
    {
        lock (_lock)
        {
            return _prefixes.Find(p => p.Slot == slot).Key.AsSpan() is { IsEmpty: false } there && there.TryCopyTo(key);
        }
    }

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        if (LengthOf(key) > LengthMax)
        {
            return 0;
        }

        lock (_lock)
        {
            var best = -1;
            for (var i = 0; i < _prefixes.Count; i++)
            {
                var prefix = _prefixes[i].Key;
                var isBetter = best < 0 || (LengthOf(prefix) > LengthOf(_prefixes[best].Key)
                    != (_fault == TrieFault.FindsShortest));
                var isWanted = _fault == TrieFault.FindsExactOnly ? AreSame(prefix, key) : Contains(prefix, key);
                isWanted &= _fault != TrieFault.ForgetsDefault || LengthOf(prefix) > 0 || LengthOf(key) == 0;
                best = isWanted && isBetter ? i : best;
            }

            return best < 0 ? 0 : _pool.AddressOf(_prefixes[best].Slot);
        }
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        if (flags > MapUpdateFlags.Exist || (LengthOf(key) > LengthMax && _fault != TrieFault.TakesLongPrefixes))
        {
            return Errno.EINVAL;
        }

        using var dying = new DyingFields(this, DeathPath.InPlaceUpdate);
        lock (_lock)
        {
            var at = Find(key);
            if (CheckExistence(at >= 0, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (at >= 0 && _fault == TrieFault.ReplaceForgetsKptr)
            {
                CopyIn(_pool.AddressOf(_prefixes[at].Slot), value);
                return Errno.None;
            }

            if (at >= 0)
            {
                dying.Overwrite(_pool, _prefixes[at].Slot, value, flags, caller);
                return Errno.None;
            }

            if (!_pool.TryTake(out var slot, caller.Cpu))
            {
                return _fault == TrieFault.FullAnswersE2Big ? Errno.E2BIG : Errno.ENOSPC;
            }

            InitValue(_pool, slot, value, caller);
            _prefixes.Add((key.ToArray(), slot));
            return Errno.None;
        }
    }

    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        if (LengthOf(key) > LengthMax)
        {
            return Errno.EINVAL;
        }

        using var dying = new DyingFields(this, DeathPath.Delete);
        lock (_lock)
        {
            var at = Find(key);
            if (at < 0)
            {
                return Errno.ENOENT;
            }

            Remove(at, dying, caller);
            for (var i = _prefixes.Count - 1; i >= 0 && _fault == TrieFault.DeletesBelow; i--)
            {
                if (Contains(key, _prefixes[i].Key) && LengthOf(key) > 0)
                {
                    Remove(i, dying, caller);
                }
            }

            return Errno.None;
        }
    }

    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        lock (_lock)
        {
            var sign = _fault == TrieFault.ShorterFirst ? 1 : -1;
            var order = _prefixes.OrderBy(p => sign * (int)LengthOf(p.Key)).ToList();
            var wanted = key.ToArray();
            var at = wanted.Length == 0 ? -1 : order.FindIndex(p => AreSame(p.Key, wanted));
            if (at + 1 >= order.Count)
            {
                return Errno.ENOENT;
            }

            order[at + 1].Key.CopyTo(nextKey);
            return Errno.None;
        }
    }

    private void Remove(int at, DyingFields dying, in MapCall caller)
    {
        dying.Recycle(_pool, _prefixes[at].Slot);
        _pool.Return(_prefixes[at].Slot, caller.Cpu);
        _prefixes.RemoveAt(at);
    }

    private int Find(ReadOnlySpan<byte> key)
    {
        for (var i = 0; i < _prefixes.Count; i++)
        {
            if (AreSame(_prefixes[i].Key, key))
            {
                return i;
            }
        }

        return -1;
    }

    private bool AreSame(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => LengthOf(a) == LengthOf(b)
        && (_fault == TrieFault.ComparesBehindPrefix ? a.SequenceEqual(b) : Contains(a, b));

    private bool Contains(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> key)
    {
        var length = LengthOf(prefix);
        if (length > LengthOf(key) || (_fault == TrieFault.KeepsShorterAway && length + 8 < LengthOf(key)))
        {
            return false;
        }

        length = _fault == TrieFault.ComparesWholeBytes ? length / 8 * 8 : length;
        for (var bit = 0; bit < length; bit++)
        {
            if (((prefix[4 + (bit / 8)] ^ key[4 + (bit / 8)]) >> (7 - (bit % 8)) & 1) != 0)
            {
                return false;
            }
        }

        return true;
    }

    private static uint LengthOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt32LittleEndian(key);
}
