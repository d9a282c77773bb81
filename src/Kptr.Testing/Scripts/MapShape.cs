using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing.Scripts;

/// <summary>What keys and values of a map look like, and how the kit makes some.</summary>
internal sealed unsafe class MapShape
{
    /// <summary>Objects of each kind that scripts store.</summary>
    internal const int ObjectCount = 4;

    /// <summary>All of them.</summary>
    internal const int ObjectsOfAllKinds = 2 * ObjectCount;

    /// <summary>Up to this capacity scripts fill the map.</summary>
    internal const int FilledMax = 64;

    /// <summary>What values that are written have where special fields lie: no address looks like that.</summary>
    internal const byte Garbage = 0xee;

    /// <summary>Eight of them.</summary>
    internal const ulong GarbageWord = 0xeeee_eeee_eeee_eeee;

    private static readonly string[] Kinds = ["task_struct", "cgroup"];
    private readonly int[] _kinds;
    private readonly bool[] _isSpecial;

    internal MapShape(BpfMap map)
    {
        if (map.IsPerCpu || map.KeySize < sizeof(int))
        {
            throw new NotSupportedException(
                $"{map}: maps with a value per CPU, and keys of less than {sizeof(int)} bytes, are not covered");
        }

        KeySize = map.KeySize;
        ValueSize = map.ValueSize;
        CpuCount = map.Core.CpuCount;
        Capacity = (int)Math.Min(map.MaxEntries, int.MaxValue);
        KeyCount = Math.Min(Capacity, FilledMax) + 3;
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

    internal int KeySize { get; }

    internal int ValueSize { get; }

    internal int CpuCount { get; }

    internal int Capacity { get; }

    internal int KeyCount { get; }

    /// <summary>Whether scripts use all of the capacity.</summary>
    internal bool IsFilled => Capacity <= FilledMax;

    internal bool HasLock { get; }

    internal bool HasSpecials { get; }

    /// <summary>Where the values have kptrs to tasks and cgroups.</summary>
    internal ImmutableArray<int> KptrOffsets { get; }

    internal byte[] Key(int number)
    {
        var key = new byte[KeySize];
        BinaryPrimitives.WriteInt32LittleEndian(key, number);
        return key;
    }

    internal static int NumberOf(ReadOnlySpan<byte> key) =>
        key[sizeof(int)..].ContainsAnyExcept((byte)0) ? -1 : BinaryPrimitives.ReadInt32LittleEndian(key);

    /// <summary>The bytes a caller hands over.</summary>
    internal byte[] Written(ulong value) => Bytes(value, Garbage);

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
        var at = value + (ulong)KptrOffsets[field];
        return _kinds[field] == 0 ? Exchange<TaskStruct>(at, next) : Exchange<Cgroup>(at, next);
    }

    private static T? Exchange<T>(ulong at, KernelObject? next)
        where T : KernelObject
    {
        ref var slot = ref Unsafe.AsRef<Kptr<T>>((void*)at);
        if (slot.Exchange(((T?)next)?.TryAcquire()) is not { } old)
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
