using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Kptr.Btf;

/// <content>Strings, and finding types by name.</content>
public sealed partial class BtfSpec
{
    /// <summary>
    /// Longest string given out whole: many offsets into one long string must not multiply it without bound.
    /// </summary>
    private const int StringBytesMax = 4096;

    private const int LookupsWithoutIndex = 2;

    private readonly ConcurrentDictionary<int, string> _strings = new();
    private readonly Lazy<NameIndex> _index;
    private long _cachedBytes;
    private int _lookups;
    private int[]? _flavoured;

    /// <summary>
    /// The string at an offset of the string table (the base's first, then this one's); empty where there is none.
    /// </summary>
    public string StringAt(int offset)
    {
        if (offset <= 0)
        {
            return "";
        }

        if (offset < StartStringOffset)
        {
            return Base!.StringAt(offset);
        }

        if (_strings.TryGetValue(offset, out var known))
        {
            return known;
        }

        var text = Encoding.UTF8.GetString(BytesAt(offset));
        return Interlocked.Add(ref _cachedBytes, text.Length) <= 2L * _bytes.StringsLength
            ? _strings.GetOrAdd(offset, text)
            : text;
    }

    /// <summary>
    /// The first own type with this name and kind, or 0. One look at the types costs less than an index of them.
    /// </summary>
    private int FirstOwn(string name, BtfKind kind) =>
        _index.IsValueCreated || Interlocked.Increment(ref _lookups) > LookupsWithoutIndex
            ? _index.Value.First(name, kind)
            : FirstSlow(name, kind);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // few calls, many rounds
    private int FirstSlow(string name, BtfKind kind)
    {
        var types = _bytes.Types;
        for (var i = 0; i < _offsets.Length; i++)
        {
            if ((BtfKind)((types[_offsets[i] + 1] >> 24) & 0x1f) == kind && NameIs(StartId + i, 0, name))
            {
                return StartId + i;
            }
        }

        return 0;
    }

    internal string NameOf(int id) => id == 0 ? "" : StringOf(id, 0);

    /// <summary>The name at a word of a type, as its bytes, cut where it is too long for any use.</summary>
    internal ReadOnlySpan<byte> NameBytes(int id, int word) => Owner(id).BytesAt((int)Word(id, word));

    internal bool IsAnonymous(int id) => id == 0 || Word(id, 0) == 0;

    /// <summary>Compares a type's name without making a string of it.</summary>
    internal bool NameIs(int id, string name) => id != 0 && NameIs(id, 0, name);

    internal bool MemberNameIs(int id, int i, string name) => NameIs(id, 3 + (3 * i), name);

    /// <summary>Ids of all types with this name and kind, this BTF's own first, then the base's.</summary>
    internal IEnumerable<int> FindAll(string name, BtfKind kind) =>
        _index.Value.All(name, kind).Concat(Base?.FindAll(name, kind) ?? []);

    /// <summary>
    /// Own types with a flavour suffix (<c>name___x</c>), by rising id: a handful in a kernel, made once.
    /// </summary>
    internal IReadOnlyList<int> Flavoured => _flavoured ??= FindFlavoured();

    private int[] FindFlavoured()
    {
        var found = new List<int>();
        for (var i = 0; i < _offsets.Length; i++)
        {
            if (BytesAt((int)_bytes.Types[_offsets[i]]).IndexOf("___"u8) > 0)
            {
                found.Add(StartId + i);
            }
        }

        return [.. found];
    }

    private bool NameIs(int id, int word, string name)
    {
        var owner = Owner(id);
        var bytes = owner.BytesAt((int)Word(id, word));
        return Ascii.IsValid(bytes)
            ? bytes.Length == name.Length && Ascii.Equals(bytes, name)
            : Encoding.UTF8.GetString(bytes) == name;
    }

    private string StringOf(int id, int word) => Owner(id).StringAt((int)Word(id, word));

    private ReadOnlySpan<byte> BytesAt(int offset)
    {
        if (offset < StartStringOffset)
        {
            return Base!.BytesAt(offset);
        }

        offset -= StartStringOffset;
        if ((uint)offset >= (uint)_bytes.StringsLength)
        {
            return default;
        }

        var rest = _bytes.Strings[offset..];
        rest = rest.Length > StringBytesMax ? rest[..StringBytesMax] : rest;
        var end = rest.IndexOf((byte)0);
        return end < 0 ? rest : rest[..end];
    }

    /// <summary>
    /// Hash table over the names of a BTF's own types: chains of ids, the lowest id first. Holds no strings.
    /// </summary>
    private sealed class NameIndex
    {
        private readonly BtfSpec _btf;
        private readonly int[] _heads;
        private readonly int[] _next;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once
        internal NameIndex(BtfSpec btf)
        {
            _btf = btf;
            var count = btf._offsets.Length;
            _heads = new int[BitOperations.RoundUpToPowerOf2((uint)Math.Max(count, 16))];
            _next = new int[count];
            var types = btf._bytes.Types;
            for (var i = count - 1; i >= 0; i--)
            {
                var nameOffset = (int)types[btf._offsets[i]];
                if (nameOffset != 0)
                {
                    ref var head = ref _heads[Hash(btf.BytesAt(nameOffset)) & (uint)(_heads.Length - 1)];
                    _next[i] = head;
                    head = btf.StartId + i;
                }
            }
        }

        internal int First(string name, BtfKind kind)
        {
            for (var id = Head(name); id != 0; id = _next[id - _btf.StartId])
            {
                if (_btf.KindOf(id) == kind && _btf.NameIs(id, 0, name))
                {
                    return id;
                }
            }

            return 0;
        }

        internal IEnumerable<int> All(string name, BtfKind kind)
        {
            for (var id = Head(name); id != 0; id = _next[id - _btf.StartId])
            {
                if (_btf.KindOf(id) == kind && _btf.NameIs(id, 0, name))
                {
                    yield return id;
                }
            }
        }

        private int Head(string name)
        {
            Span<byte> bytes = stackalloc byte[Math.Min(
                Encoding.UTF8.GetMaxByteCount(name.Length), StringBytesMax * 3)];
            return name.Length is > 0 and <= StringBytesMax && Encoding.UTF8.TryGetBytes(name, bytes, out var length)
                ? _heads[Hash(bytes[..length]) & (uint)(_heads.Length - 1)]
                : 0;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static uint Hash(ReadOnlySpan<byte> bytes)
        {
            var hash = (ulong)bytes.Length;
            while (bytes.Length >= 8)
            {
                hash = (hash ^ MemoryMarshal.Read<ulong>(bytes)) * 0x9e3779b97f4a7c15;
                hash ^= hash >> 32;
                bytes = bytes[8..];
            }

            foreach (var b in bytes)
            {
                hash = (hash ^ b) * 0x100000001b3;
            }

            hash *= 0x9e3779b97f4a7c15;
            return (uint)(hash >> 32);
        }
    }
}
