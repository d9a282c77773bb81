using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing.Cells;

namespace Kptr.Testing.Scripts;

/// <summary>What keys and values of a map look like, and how the kit makes some.</summary>
internal sealed unsafe class MapShape
{
    /// <summary>Objects of each kind that scripts store.</summary>
    internal const int ObjectCount = 4;

    /// <summary>All of them.</summary>
    internal const int ObjectsOfAllKinds = 3 * ObjectCount;

    /// <summary>What the value of each further CPU is more, where user space writes those of all.</summary>
    internal const ulong PlaceStep = 10_000;

    /// <summary>Up to this capacity scripts fill the map.</summary>
    internal const int FilledMax = 64;

    /// <summary>What values that are written have where special fields lie: no address looks like that.</summary>
    internal const byte Garbage = 0xee;

    /// <summary>Eight of them.</summary>
    internal const ulong GarbageWord = 0xeeee_eeee_eeee_eeee;

    private const int OwnerCount = 6;
    private static readonly string[] Kinds = ["task_struct", "cgroup", "bpf_cpumask"];
    private readonly int[] _cpus;
    private readonly int[] _kinds;
    private readonly bool[] _isSpecial;
    private readonly int _strideBytes;
    private readonly bool _isIndexed;
    private readonly CellOwner[] _owners = [];
    private int _noise;

    internal MapShape(BpfMap map, MapCapabilities can)
    {
        CheckKeys(map, can);
        KeySize = map.KeySize;
        ValueSize = map.ValueSize;
        UserSize = map.UserValueSize;
        _cpus = [.. map.Core.Options.PossibleCpus];
        IsPerCpu = map.IsPerCpu;
        PlaceCount = map.IsPerCpu ? _cpus.Length : 1;
        _strideBytes = UserSize / PlaceCount;
        Capacity = (int)Math.Min(map.MaxEntries, int.MaxValue);
        KeyCount = Math.Min(Capacity, FilledMax) + 3;
        _isIndexed = can.Keys == MapKeys.Index;
        IsTrie = can.Keys == MapKeys.Prefix;
        if (can.Keys == MapKeys.Owner)
        {
            // As many as there are owners.
            Capacity = int.MaxValue;
            KeyCount = OwnerCount;
            _owners = [.. Enumerable.Range(0, OwnerCount + 1).Select(i => new CellOwner(map.Core, map.Type, i))];
        }

        HasLock = map.Record.Has(BtfFieldKind.SpinLock | BtfFieldKind.ResSpinLock);
        HasSpecials = map.Record.Fields.Length > 0;
        _isSpecial = new bool[ValueSize];
        foreach (var field in map.Record.Fields)
        {
            _isSpecial.AsSpan(field.OffsetBytes, field.SizeBytes).Fill(true);
        }

        var kptrs = map.Record.Fields
            .Where(f => f.Kind == BtfFieldKind.KptrRef && f.Pointee.Btf is not null && Kinds.Contains(f.Pointee.Name))
            .ToList();
        KptrOffsets = [.. kptrs.Select(f => f.OffsetBytes)];
        _kinds = [.. kptrs.Select(f => Array.IndexOf(Kinds, f.Pointee.Name))];
    }

    private static void CheckKeys(BpfMap map, MapCapabilities can)
    {
        var (isFine, what) = can.Keys switch
        {
            MapKeys.Prefix => (map.KeySize > sizeof(uint), "a length of 4 bytes and some more"),
            MapKeys.Index or MapKeys.Owner => (map.KeySize == sizeof(uint), "4 bytes"),
            _ => (true, ""),
        };
        if (!isFine)
        {
            throw new ArgumentException($"{map} has keys of {map.KeySize} bytes; keys of kind {can.Keys} are {what}");
        }
    }

    internal int KeySize { get; }

    internal int ValueSize { get; }

    /// <summary>Bytes of what user space reads and writes: one value, or one per CPU.</summary>
    internal int UserSize { get; }

    internal bool IsPerCpu { get; }

    /// <summary>Values of one key: one, or one per CPU.</summary>
    internal int PlaceCount { get; }

    /// <summary>Ids of the CPUs that are there; they have holes.</summary>
    internal ReadOnlySpan<int> Cpus => _cpus;

    internal int Capacity { get; }

    internal int KeyCount { get; }

    /// <summary>Whether scripts use all of the capacity.</summary>
    internal bool IsFilled => Capacity <= FilledMax;

    /// <summary>Whether keys are prefixes.</summary>
    internal bool IsTrie { get; }

    internal bool HasLock { get; }

    internal bool HasSpecials { get; }

    /// <summary>Where the values have kptrs to objects that scripts store.</summary>
    internal ImmutableArray<int> KptrOffsets { get; }

    /// <summary>
    /// The key of a number: but for one byte all are zero, and it is another from key to key, as a map must look at all
    /// of them. A key of less than 4 bytes is the number.
    /// </summary>
    internal byte[] Key(int number)
    {
        if (_owners.Length > 0)
        {
            return BitConverter.GetBytes(_owners[number].Key);
        }

        if (IsTrie)
        {
            return Prefixes.Key(KeySize, number, isNoisy: (_noise ^= 1) == 0);
        }

        var key = new byte[KeySize];
        if (KeySize < sizeof(int))
        {
            key[0] = checked((byte)number);
        }
        else if (_isIndexed)
        {
            BinaryPrimitives.WriteInt32LittleEndian(key, number);
        }
        else if (number > 0)
        {
            key[PlaceInKey(number)] = checked((byte)(1 + ((number - 1) / KeySize)));
        }

        return key;
    }

    /// <summary>The number of a key; -1 for one that no script uses.</summary>
    internal int NumberOf(ReadOnlySpan<byte> key)
    {
        if (_owners.Length > 0)
        {
            var owner = BinaryPrimitives.ReadInt32LittleEndian(key);
            return Array.FindIndex(_owners, o => o.Key == owner);
        }

        if (IsTrie)
        {
            return Prefixes.NumberOf(key, KeyCount);
        }

        if (KeySize < sizeof(int) || _isIndexed)
        {
            var low = KeySize < sizeof(int) ? key[0] : BinaryPrimitives.ReadInt32LittleEndian(key);
            return low >= 0 && key.SequenceEqual(Key(low)) ? low : -1;
        }

        var at = key.IndexOfAnyExcept((byte)0);
        var number = at < 0 ? 0 : ((key[at] - 1) * KeySize) + NthOfPlace(at) + 1;
        return key.SequenceEqual(Key(number)) ? number : -1;
    }

    // The first byte, the last, then those between.
    private int PlaceInKey(int number) => ((number - 1) % KeySize) switch
    {
        0 => 0,
        1 => KeySize - 1,
        var nth => nth - 1,
    };

    private int NthOfPlace(int place) => place == 0 ? 0 : place == KeySize - 1 ? 1 : place + 1;

    /// <summary>The owner of a value goes.</summary>
    internal void EndOwner(int number) => _owners[number].End();

    /// <summary>Another owner comes in the place of one that has gone.</summary>
    internal void Replace(BpfMap map, int number) => _owners[number] = new(map.Core, map.Type, number);

    /// <summary>Keys that fill the map, or half of the owners.</summary>
    internal int CountToFill => _owners.Length > 0 ? KeyCount / 2 : Math.Min(Capacity, FilledMax);

    /// <summary>All owners go.</summary>
    internal void EndOwners()
    {
        foreach (var owner in _owners)
        {
            owner.End();
        }
    }

    /// <summary>The CPU whose value is at a place.</summary>
    internal int CpuOf(int place) => _cpus[place];

    /// <summary>Where the value that programs on a CPU see is among those of a key.</summary>
    internal int PlaceOf(int cpu) => IsPerCpu ? Array.IndexOf(_cpus, cpu) : 0;

    /// <summary>The bytes user space hands over: one value, or one per CPU.</summary>
    internal byte[] Written(ulong value)
    {
        var all = new byte[UserSize];
        for (var place = 0; place < PlaceCount; place++)
        {
            WrittenOne(value + ((ulong)place * PlaceStep)).CopyTo(all, place * _strideBytes);
        }

        return all;
    }

    /// <summary>The bytes a program hands over.</summary>
    internal byte[] WrittenOne(ulong value) => Bytes(value, Garbage);

    /// <summary>The value at a place in what user space got.</summary>
    internal ReadOnlySpan<byte> PartOf(ReadOnlySpan<byte> shown, int place) =>
        shown.Slice(place * _strideBytes, ValueSize);

    /// <summary>The bytes a reader must see; all zero for value 0.</summary>
    internal byte[] Shown(ulong value) => Bytes(value, 0);

    /// <summary>Whether the plain bytes are those of a value.</summary>
    internal bool PlainEquals(ReadOnlySpan<byte> bytes, ulong value)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            if (!_isSpecial[i] && bytes[i] != ByteOf(value, i))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether user space got what it had written, on each CPU.</summary>
    internal bool IsShown(ReadOnlySpan<byte> shown, ulong value)
    {
        for (var place = 0; place < PlaceCount; place++)
        {
            if (!PlainEquals(PartOf(shown, place), value + ((ulong)place * PlaceStep)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether all bytes of special fields are zero.</summary>
    internal bool IsOpaque(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            if (_isSpecial[i] && bytes[i] != 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Number of an object that may be stored in a field; some number where there is no kptr.</summary>
    internal int ObjectFor(Random random, int field) =>
        ((_kinds.Length == 0 ? 0 : _kinds[field]) * ObjectCount) + random.Next(ObjectCount);

    /// <summary>Stores a reference on an object in a value, releases the old one and says what it was on.</summary>
    /// <param name="value">Address of the value.</param>
    /// <param name="field">Which kptr.</param>
    /// <param name="next">What to store; null empties the field.</param>
    internal KernelObject? Exchange(ulong value, int field, KernelObject? next)
    {
        ref var slot = ref Unsafe.AsRef<Kptr<KernelObject>>((void*)(value + (ulong)KptrOffsets[field]));
        if (slot.Exchange(next?.TryAcquire()) is not { } old)
        {
            return null;
        }

        var target = old.Target;
        old.Release();
        return target;
    }

    internal static string Text(ReadOnlySpan<byte> bytes) =>
        Convert.ToHexStringLower(bytes[..Math.Min(bytes.Length, 32)]) + (bytes.Length > 32 ? "..." : "");

    private byte[] Bytes(ulong value, byte special)
    {
        var bytes = new byte[ValueSize];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = _isSpecial[i] ? special : ByteOf(value, i);
        }

        return bytes;
    }

    // The number itself, little-endian and again and again, so that a person finds it in a report.
    private static byte ByteOf(ulong value, int at) => (byte)(value >> (at % sizeof(ulong) * 8));
}
