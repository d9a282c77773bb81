using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>
/// BPF type format: the types of a kernel, a module (split, on top of a kernel's) or a program object.
/// </summary>
/// <remarks>
/// A view over the bytes, read on demand: opening checks every type once and keeps 4 bytes for each. Immutable and safe
/// for any number of threads. Kernel: <c>Documentation/bpf/btf.rst</c>.
/// </remarks>
public sealed partial class BtfSpec
{
    internal const int ModifierChainMax = 64;
    private readonly BtfBytes _bytes;
    private readonly int[] _offsets;

    private BtfSpec(string name, BtfSpec? baseBtf, BtfBytes bytes, int[] offsets)
    {
        Name = name;
        Base = baseBtf;
        _bytes = bytes;
        _offsets = offsets;
        StartId = baseBtf?.TypeCount ?? 1;
        StartStringOffset = baseBtf?.EndStringOffset ?? 0;
        _index = new(() => new NameIndex(this));
    }

    /// <summary>What the BTF describes: <c>vmlinux</c>, a module's name, or an object file's name.</summary>
    public string Name { get; }

    /// <summary>The BTF this one is split from, or <see langword="null"/>.</summary>
    public BtfSpec? Base { get; }

    /// <summary>First id that is this BTF's own; lower ids belong to <see cref="Base"/>. 1 without a base.</summary>
    public int StartId { get; }

    /// <summary>Number of ids, <c>void</c> and the base's included: valid ids are below it.</summary>
    public int TypeCount => StartId + _offsets.Length;

    /// <summary>Size of all types, the base's included, in 4-byte words.</summary>
    internal long WordCount => _bytes.Types.Length + (Base?.WordCount ?? 0);

    /// <summary>
    /// What a kernel has against the layout of the bytes that this was read from; null where it has nothing.
    /// </summary>
    internal string? LayoutFault => _bytes.LayoutFault;

    /// <summary>Size of header, types and strings, without the base's.</summary>
    internal long SizeBytes => BtfHeader.Bytes + (4L * _bytes.Types.Length) + _bytes.StringsLength;

    internal int EndStringOffset => StartStringOffset + _bytes.StringsLength;

    private int StartStringOffset { get; }

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

    /// <summary>Reads raw BTF (the content of a <c>.BTF</c> section), of either byte order.</summary>
    /// <param name="data">The bytes; they are kept and must not change.</param>
    /// <param name="name">What the BTF describes.</param>
    /// <param name="baseBtf">The BTF that <paramref name="data"/> is split from, or <see langword="null"/>.</param>
    /// <exception cref="DiagnosticException">The bytes are no BTF.</exception>
    public static BtfSpec Read(ReadOnlyMemory<byte> data, string name, BtfSpec? baseBtf = null)
    {
        var sink = new DiagSink();
        return TryRead(data, name, baseBtf, sink) ?? throw new DiagnosticException(sink.All);
    }

    /// <summary>
    /// Reads raw BTF; reports what is wrong to <paramref name="sink"/> and returns <see langword="null"/> then.
    /// </summary>
    public static BtfSpec? TryRead(ReadOnlyMemory<byte> data, string name, BtfSpec? baseBtf, DiagSink sink)
    {
        ArgumentNullException.ThrowIfNull(sink);
        return new BtfReader(name, baseBtf, sink).Read(BtfBlob.Of(data)) is var (bytes, offsets)
            ? new BtfSpec(name, baseBtf, bytes, offsets)
            : null;
    }

    /// <summary>Reads a file of raw BTF (<c>/sys/kernel/btf/vmlinux</c>).</summary>
    /// <param name="path">The file; any that can be read to its end, a pipe too.</param>
    /// <param name="name">What the BTF describes; the file's name where it is null.</param>
    /// <param name="baseBtf">The BTF that the file is split from, or <see langword="null"/>.</param>
    /// <exception cref="DiagnosticException">The file cannot be read or is no BTF.</exception>
    public static BtfSpec Open(string path, string? name = null, BtfSpec? baseBtf = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Read(FileBytes.Read(path), name ?? Path.GetFileName(path), baseBtf);
    }

    /// <summary>
    /// Id of the type with this name and kind, looked up in this BTF first and then its base; 0 if none.
    /// </summary>
    public int FindId(string name, BtfKind kind)
    {
        ArgumentNullException.ThrowIfNull(name);
        return FirstOwn(name, kind) is var id and not 0 ? id : Base?.FindId(name, kind) ?? 0;
    }

    /// <summary>The type below typedefs, qualifiers and type tags.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such id.</exception>
    public BtfType SkipModifiers(int id) => this[SkipModifiersId(this[id].Id)];

    /// <summary>
    /// Size of the type in bytes through modifiers and arrays, or -1 where it has none (void, functions, cycles).
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">No such id.</exception>
    public int ResolveSize(int id)
    {
        _ = this[id];
        long times = 1;
        for (var depth = 0; depth < ModifierChainMax; depth++)
        {
            id = SkipModifiersId(id);
            switch (KindOf(id))
            {
                case BtfKind.Int or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64 or BtfKind.Float
                    or BtfKind.Ptr or BtfKind.DataSec:
                    var size = times * SizeOf(id);
                    return size <= int.MaxValue ? (int)size : -1;
                case BtfKind.Array:
                    times *= ArrayOf(id).Count;
                    if (times > int.MaxValue)
                    {
                        return -1;
                    }

                    id = ArrayOf(id).ElemTypeId;
                    continue;
                default:
                    return -1;
            }
        }

        return -1;
    }

    /// <summary>Name and size.</summary>
    public override string ToString() =>
        $"BTF \"{Name}\" ({TypeCount} types{(Base is null ? "" : $", split from \"{Base.Name}\"")})";

    /// <summary>Writes the BTF as the content of a <c>.BTF</c> section; a split BTF's own part only.</summary>
    public byte[] ToBytes(bool bigEndian = false)
    {
        var types = _bytes.Types;
        var (typeBytes, stringBytes) = ((uint)types.Length * 4, (uint)_bytes.StringsLength);
        var bytes = new byte[BtfHeader.Bytes + typeBytes + stringBytes];
        new BtfHeader(BtfHeader.Bytes, 0, typeBytes, typeBytes, stringBytes).Write(bytes, bigEndian);
        var to = bytes.AsSpan(BtfHeader.Bytes);
        foreach (var word in types)
        {
            BtfHeader.WriteU32(to, word, bigEndian);
            to = to[4..];
        }

        _bytes.Strings.CopyTo(to);
        return bytes;
    }

    private BtfSpec Owner(int id) => id >= StartId || Base is null ? this : Base.Owner(id);
}
