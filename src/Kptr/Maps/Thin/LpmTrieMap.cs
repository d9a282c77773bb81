using System.Buffers.Binary;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary><c>BPF_MAP_TYPE_LPM_TRIE</c>: finds the value of the longest prefix of a key.</summary>
/// <remarks>
/// A key is a 32-bit prefix length and data in network order. One level per bit: simpler and larger than Linux's
/// path-compressed trie, with the same answers. Values have no special fields in Linux either. Kernel:
/// <c>lpm_trie.c</c> (6.12).
/// </remarks>
public sealed class LpmTrieMap : BpfMap
{
    private readonly RankedLock _lock = new(LockRank.ThinMap);
    private readonly Node _root = new();
    private readonly ElemCache _cache;
    private readonly ValuePool _values;
    private int _count;

    /// <summary>Makes a trie.</summary>
    /// <exception cref="MapCreateException">The kernel refuses the blueprint.</exception>
    public LpmTrieMap(KernelCore core, MapSpec spec)
        : base(core, MapRules.Admit(core, spec, BpfMapType.LpmTrie))
    {
        _values = CreatePool(1, 0, PoolKind.Chunked);
        _cache = new(this, _values);
    }

    /// <summary>Prefixes in it.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <inheritdoc/>
    protected override MapBatchOps BatchOps => MapBatchOps.Lookup | MapBatchOps.Update | MapBatchOps.Delete;

    private int PrefixMax => (KeySize - sizeof(uint)) * 8;

    /// <inheritdoc/>
    public override MapCensus TakeCensus() => _cache.TakeCensus(Count);

    /// <inheritdoc/>
    protected internal override bool TryGetKey(ValuePool pool, int slot, Span<byte> key) => false;

    /// <inheritdoc/>
    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var length = LengthOf(key);
        if (length > PrefixMax)
        {
            return 0;
        }

        var best = -1;
        var node = _root;
        for (var bit = 0; node is not null; bit++)
        {
            // Read once: a writer may take the prefix out between two looks, and a shorter one must be found then.
            var slot = Volatile.Read(ref node.Slot);
            best = slot >= 0 ? slot : best;
            node = bit < length ? Volatile.Read(ref node.Child(BitOf(key, bit))) : null;
        }

        return best < 0 ? 0 : _values.ValueOf(best);
    }

    /// <inheritdoc/>
    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        var length = LengthOf(key);
        if (flags > MapUpdateFlags.Exist || length > PrefixMax)
        {
            return Errno.EINVAL;
        }

        using (_lock.Enter())
        {
            var node = Walk(key, length);
            var old = node?.Slot ?? -1;
            if (CheckExistence(old >= 0, flags) is var bad and not Errno.None)
            {
                return bad;
            }

            if (old < 0 && _count >= MaxEntries)
            {
                return Errno.ENOSPC;
            }

            var slot = _cache.Take(caller.Cpu);
            CopyIn(_values.ValueOf(slot), value);
            node ??= Grow(key, length);
            node.Key = key.ToArray();
            Volatile.Write(ref node.Slot, slot);
            if (old >= 0)
            {
                _cache.ReturnAfterRcu(old, caller.Cpu);
            }
            else
            {
                _count++;
            }

            return Errno.None;
        }
    }

    /// <inheritdoc/>
    protected override Errno DeleteValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        var length = LengthOf(key);
        if (length > PrefixMax)
        {
            return Errno.EINVAL;
        }

        using (_lock.Enter())
        {
            if (Walk(key, length) is not { Slot: >= 0 } node)
            {
                return Errno.ENOENT;
            }

            _cache.ReturnAfterRcu(node.Slot, caller.Cpu);
            Volatile.Write(ref node.Slot, -1);
            _count--;
            Prune(key, length);
            return Errno.None;
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Longer prefixes come before those that contain them, each as it was last written: bits behind a prefix do not
    /// count and are kept.
    /// </remarks>
    protected override Errno NextKey(ReadOnlySpan<byte> key, Span<byte> nextKey)
    {
        using (_lock.Enter())
        {
            var all = new List<Node>();
            Collect(_root, all);
            var at = key.IsEmpty || LengthOf(key) > PrefixMax ? -1 : all.IndexOf(Walk(key, LengthOf(key))!);
            if (at + 1 >= all.Count)
            {
                return Errno.ENOENT;
            }

            all[at + 1].Key.CopyTo(nextKey);
            return Errno.None;
        }
    }

    private static int BitOf(ReadOnlySpan<byte> key, int bit) => (key[sizeof(uint) + (bit / 8)] >> (7 - (bit % 8))) & 1;

    private static uint LengthOf(ReadOnlySpan<byte> key) => BinaryPrimitives.ReadUInt32LittleEndian(key);

    private static void Collect(Node? node, List<Node> all)
    {
        if (node is not null)
        {
            Collect(node.Child(0), all);
            Collect(node.Child(1), all);
            all.AddRange(node.Slot >= 0 ? [node] : []);
        }
    }

    private Node? Walk(ReadOnlySpan<byte> key, uint length)
    {
        Node? node = _root;
        for (var bit = 0; bit < length && node is not null; bit++)
        {
            node = node.Child(BitOf(key, bit));
        }

        return node;
    }

    private Node Grow(ReadOnlySpan<byte> key, uint length)
    {
        var node = _root;
        for (var bit = 0; bit < length; bit++)
        {
            ref var child = ref node.Child(BitOf(key, bit));
            if (child is null)
            {
                Volatile.Write(ref child, new Node());
            }

            node = child!;
        }

        return node;
    }

    // Takes out the nodes at the end of a path that lead nowhere any more.
    private void Prune(ReadOnlySpan<byte> key, uint length)
    {
        var path = new List<Node> { _root };
        for (var bit = 0; bit < length; bit++)
        {
            path.Add(path[^1].Child(BitOf(key, bit))!);
        }

        for (var bit = (int)length; bit > 0 && path[bit].IsEmpty; bit--)
        {
            Volatile.Write(ref path[bit - 1].Child(BitOf(key, bit - 1)), null);
        }
    }

    private sealed class Node
    {
        internal int Slot = -1;

        /// <summary>The key as it was last written.</summary>
        internal byte[] Key = [];
        private Node? _zero;
        private Node? _one;

        internal bool IsEmpty => Slot < 0 && _zero is null && _one is null;

        internal ref Node? Child(int bit) => ref bit == 0 ? ref _zero : ref _one;
    }
}
