using System.Buffers.Binary;
using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>BPF type format: the types of a kernel, a module (split, on top of a kernel's) or a program object.</summary>
/// <remarks>Immutable and safe for any number of threads. Kernel: <c>Documentation/bpf/btf.rst</c>.</remarks>
public sealed class BtfSpec
{
    private const int HeaderMinBytes = 24;
    private readonly byte[] _types;
    private readonly byte[] _strings;
    private readonly int[] _offsets;
    private readonly Lazy<Dictionary<(string Name, BtfKind Kind), int>> _byName;

    private BtfSpec(string name, BtfSpec? baseBtf, byte[] types, byte[] strings, int[] offsets)
    {
        Name = name;
        Base = baseBtf;
        _types = types;
        _strings = strings;
        _offsets = offsets;
        StartId = baseBtf?.TypeCount ?? 1;
        StartStringOffset = baseBtf is null ? 0 : baseBtf.StartStringOffset + baseBtf._strings.Length;
        _byName = new(IndexNames);
    }

    /// <summary>What the BTF describes: <c>vmlinux</c>, a module's name, or an object file's name.</summary>
    public string Name { get; }

    /// <summary>The BTF this one is split from, or <see langword="null"/>.</summary>
    public BtfSpec? Base { get; }

    /// <summary>First id that is this BTF's own; lower ids belong to <see cref="Base"/>. 1 without a base.</summary>
    public int StartId { get; }

    /// <summary>Number of ids, <c>void</c> and the base's included: valid ids are below it.</summary>
    public int TypeCount => StartId + _offsets.Length;

    private int StartStringOffset { get; }

    internal int EndStringOffset => StartStringOffset + _strings.Length;

    /// <summary>The type with this id.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such id.</exception>
    public BtfType this[int id]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(id);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, TypeCount);
            return new BtfType(Owner(id), id);
        }
    }

    /// <summary>Reads raw BTF (the content of a <c>.BTF</c> section).</summary>
    /// <exception cref="DiagnosticException">The bytes are no BTF.</exception>
    public static BtfSpec Read(ReadOnlyMemory<byte> data, string name, BtfSpec? baseBtf = null)
    {
        var sink = new DiagSink();
        return TryRead(data, name, baseBtf, sink) ?? throw new DiagnosticException(sink.All);
    }

    /// <summary>Reads raw BTF; reports what is wrong to <paramref name="sink"/> and returns <see langword="null"/> then.</summary>
    public static BtfSpec? TryRead(ReadOnlyMemory<byte> data, string name, BtfSpec? baseBtf, DiagSink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        var span = data.Span;
        if (span.Length < HeaderMinBytes || BinaryPrimitives.ReadUInt16LittleEndian(span) != 0xeb9f)
        {
            sink.Report(new(DiagCode.BtfBadHeader, "no BTF header") { File = name, OffsetBytes = 0 });
            return null;
        }

        long header = ReadU32(span, 4), typeOff = ReadU32(span, 8), typeLen = ReadU32(span, 12);
        long strOff = ReadU32(span, 16), strLen = ReadU32(span, 20);
        if (header + typeOff + typeLen > span.Length || header + strOff + strLen > span.Length)
        {
            sink.Report(new(DiagCode.BtfTruncated, "BTF sections reach past the end") { File = name, OffsetBytes = 8 });
            return null;
        }

        var types = span.Slice((int)(header + typeOff), (int)typeLen).ToArray();
        var strings = span.Slice((int)(header + strOff), (int)strLen).ToArray();
        var offsets = new List<int>();
        for (var at = 0; at < types.Length;)
        {
            var size = at + 12 <= types.Length ? 12 + TrailerBytes(types, at) : -1;
            if (size < 0 || at + size > types.Length)
            {
                sink.Report(new(DiagCode.BtfTruncated, "a type reaches past the end") { File = name, OffsetBytes = at });
                return null;
            }

            offsets.Add(at);
            at += size;
        }

        return new BtfSpec(name, baseBtf, types, strings, [.. offsets]);
    }

    /// <summary>Id of the type with this name and kind, looked up in this BTF first and then its base; 0 if none.</summary>
    public int FindId(string name, BtfKind kind) =>
        _byName.Value.TryGetValue((name, kind), out var id) ? id : Base?.FindId(name, kind) ?? 0;

    /// <summary>The type below typedefs, qualifiers and type tags.</summary>
    public BtfType SkipModifiers(int id)
    {
        for (var left = TypeCount; left > 0; left--)
        {
            if (KindOf(id) is not (BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag))
            {
                break;
            }

            id = RefTypeOf(id);
        }

        return this[id];
    }

    /// <summary>Size of the type in bytes through modifiers and arrays, or -1 where it has none (void, functions, cycles).</summary>
    public int ResolveSize(int id)
    {
        long times = 1;
        for (var depth = 0; depth < 64; depth++)
        {
            var type = SkipModifiers(id);
            switch (type.Kind)
            {
                case BtfKind.Int or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Float:
                    var size = times * type.SizeBytes;
                    return size <= int.MaxValue ? (int)size : -1;
                case BtfKind.Ptr:
                    return times * 8 <= int.MaxValue ? (int)(times * 8) : -1;
                case BtfKind.Array:
                    times *= type.Array.Count;
                    if (times > int.MaxValue)
                    {
                        return -1;
                    }

                    id = type.Array.ElemTypeId;
                    continue;
                default:
                    return -1;
            }
        }

        return -1;
    }

    /// <summary>The string at an offset of the string table (the base's first, then this one's).</summary>
    public string StringAt(int offset)
    {
        if (offset < StartStringOffset)
        {
            return Base!.StringAt(offset);
        }

        offset -= StartStringOffset;
        if ((uint)offset >= (uint)_strings.Length)
        {
            return "";
        }

        var rest = _strings.AsSpan(offset);
        var end = rest.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? rest : rest[..end]);
    }

    internal BtfKind KindOf(int id) => id == 0 ? BtfKind.Void : (BtfKind)((Info(id) >> 24) & 0x1f);

    internal string NameOf(int id) => id == 0 ? "" : Owner(id) is var o && o == this ? StringAt((int)Word(id, 0)) : o.NameOf(id);

    internal int VLenOf(int id) => id == 0 ? 0 : (int)(Info(id) & 0xffff);

    internal bool KindFlagOf(int id) => id != 0 && (Info(id) >> 31) != 0;

    internal int SizeOf(int id) => KindOf(id) switch
    {
        BtfKind.Int or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Float or BtfKind.DataSec
            => (int)Word(id, 2),
        BtfKind.Ptr => 8,
        _ => 0,
    };

    internal int RefTypeOf(int id) => KindOf(id) switch
    {
        BtfKind.Ptr or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const or BtfKind.Restrict or BtfKind.Func
            or BtfKind.FuncProto or BtfKind.Var or BtfKind.DeclTag or BtfKind.TypeTag => (int)Word(id, 2),
        _ => 0,
    };

    internal BtfMember MemberOf(int id, int i)
    {
        var off = (int)Word(id, 3 + (3 * i) + 2);
        return KindFlagOf(id)
            ? new(StringAt(id, 3 + (3 * i)), (int)Word(id, 4 + (3 * i)), off & 0xffffff, (off >> 24) & 0xff)
            : new(StringAt(id, 3 + (3 * i)), (int)Word(id, 4 + (3 * i)), off, 0);
    }

    internal int MemberTypeOf(int id, int i) => (int)Word(id, 4 + (3 * i));

    internal BtfParam ParamOf(int id, int i) => new(StringAt(id, 3 + (2 * i)), (int)Word(id, 4 + (2 * i)));

    internal BtfEnumValue EnumValueOf(int id, int i) => KindOf(id) == BtfKind.Enum64
        ? new(StringAt(id, 3 + (3 * i)), (long)(Word(id, 4 + (3 * i)) | ((ulong)Word(id, 5 + (3 * i)) << 32)))
        : new(StringAt(id, 3 + (2 * i)), KindFlagOf(id) ? (int)Word(id, 4 + (2 * i)) : Word(id, 4 + (2 * i)));

    internal BtfVarSecInfo VarOf(int id, int i) =>
        new((int)Word(id, 3 + (3 * i)), (int)Word(id, 4 + (3 * i)), (int)Word(id, 5 + (3 * i)));

    internal BtfArrayInfo ArrayOf(int id) => new((int)Word(id, 3), (int)Word(id, 4), (int)Word(id, 5));

    internal BtfIntInfo IntOf(int id)
    {
        var w = Word(id, 3);
        var enc = (w >> 24) & 0xf;
        return new((enc & 1) != 0, (enc & 2) != 0, (enc & 4) != 0, (int)((w >> 16) & 0xff), (int)(w & 0xff));
    }

    internal int LinkageOf(int id) => KindOf(id) == BtfKind.Var ? (int)Word(id, 3) : VLenOf(id);

    internal int ComponentIdxOf(int id) => (int)Word(id, 3);

    private static uint ReadU32(ReadOnlySpan<byte> span, int at) => BinaryPrimitives.ReadUInt32LittleEndian(span[at..]);

    private static int TrailerBytes(ReadOnlySpan<byte> types, int at)
    {
        var info = ReadU32(types, at + 4);
        var vlen = (int)(info & 0xffff);
        return (BtfKind)((info >> 24) & 0x1f) switch
        {
            BtfKind.Int or BtfKind.Var or BtfKind.DeclTag => 4,
            BtfKind.Array => 12,
            BtfKind.Struct or BtfKind.Union or BtfKind.DataSec or BtfKind.Enum64 => 12 * vlen,
            BtfKind.Enum or BtfKind.FuncProto => 8 * vlen,
            > BtfKind.Enum64 or BtfKind.Void => -13,
            _ => 0,
        };
    }

    private string StringAt(int id, int word) => Owner(id).StringAt((int)Word(id, word));

    private uint Info(int id) => Word(id, 1);

    private uint Word(int id, int word)
    {
        var owner = Owner(id);
        return ReadU32(owner._types, owner._offsets[id - owner.StartId] + (4 * word));
    }

    private BtfSpec Owner(int id) => id >= StartId || Base is null ? this : Base.Owner(id);

    private Dictionary<(string Name, BtfKind Kind), int> IndexNames()
    {
        var index = new Dictionary<(string, BtfKind), int>();
        for (var id = StartId; id < TypeCount; id++)
        {
            if (NameOf(id) is { Length: > 0 } name)
            {
                index.TryAdd((name, KindOf(id)), id);
            }
        }

        return index;
    }
}
