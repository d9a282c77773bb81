using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>Writes BTF, one type after another; each <c>Add</c> returns the new type's id.</summary>
/// <remarks>
/// Nothing is merged: equal types added twice are two types. A reference may name an id that is added later. Not safe
/// for several threads at once.
/// </remarks>
public sealed class BtfBuilder
{
    internal const int VLenMax = 0xffff;
    private readonly List<uint[]> _types = [];
    private readonly Dictionary<string, uint> _stringOffsets = [];
    private readonly List<byte> _strings = [];
    private readonly int _startId;
    private readonly int _startStringOffset;

    /// <summary>Starts an empty BTF, split from <paramref name="baseBtf"/> where one is given.</summary>
    public BtfBuilder(string name = "", BtfSpec? baseBtf = null)
    {
        Name = name;
        Base = baseBtf;
        _startId = baseBtf?.TypeCount ?? 1;
        _startStringOffset = baseBtf?.EndStringOffset ?? 0;
        _stringOffsets[""] = 0;
        if (baseBtf is null)
        {
            _strings.Add(0);
        }
    }

    /// <summary>Name that <see cref="Build"/> gives to the <see cref="BtfSpec"/>.</summary>
    public string Name { get; }

    /// <summary>The BTF whose ids this one continues, or <see langword="null"/>.</summary>
    public BtfSpec? Base { get; }

    /// <summary>Id that the next <c>Add</c> will return.</summary>
    public int NextId => _startId + _types.Count;

    /// <summary>Adds an integer type.</summary>
    public int AddInt(string name, int sizeBytes, bool isSigned = false, bool isChar = false, bool isBool = false)
    {
        var encoding = (isSigned ? 1u : 0) | (isChar ? 2u : 0) | (isBool ? 4u : 0);
        return Add(name, BtfKind.Int, 0, false, (uint)sizeBytes, [(encoding << 24) | (uint)(sizeBytes * 8)]);
    }

    /// <summary>Adds a floating-point type.</summary>
    public int AddFloat(string name, int sizeBytes) => Add(name, BtfKind.Float, 0, false, (uint)sizeBytes);

    /// <summary>Adds a pointer; 0 is <c>void *</c>.</summary>
    public int AddPtr(int typeId) => Add("", BtfKind.Ptr, 0, false, (uint)typeId);

    /// <summary>Adds <c>const</c> on a type.</summary>
    public int AddConst(int typeId) => Add("", BtfKind.Const, 0, false, (uint)typeId);

    /// <summary>Adds <c>volatile</c> on a type.</summary>
    public int AddVolatile(int typeId) => Add("", BtfKind.Volatile, 0, false, (uint)typeId);

    /// <summary>Adds <c>restrict</c> on a pointer.</summary>
    public int AddRestrict(int typeId) => Add("", BtfKind.Restrict, 0, false, (uint)typeId);

    /// <summary>Adds a typedef.</summary>
    public int AddTypedef(string name, int typeId) => Add(name, BtfKind.Typedef, 0, false, (uint)typeId);

    /// <summary>Adds a type tag (<c>btf_type_tag</c>), which stands between a pointer and its pointee.</summary>
    public int AddTypeTag(string tag, int typeId) => Add(tag, BtfKind.TypeTag, 0, false, (uint)typeId);

    /// <summary>Adds a declaration tag (<c>btf_decl_tag</c>).</summary>
    /// <param name="tag">The tag's text.</param>
    /// <param name="typeId">The struct, union, function, variable or typedef it marks.</param>
    /// <param name="componentIdx">Which member or parameter; -1 marks the whole.</param>
    public int AddDeclTag(string tag, int typeId, int componentIdx = -1) =>
        Add(tag, BtfKind.DeclTag, 0, false, (uint)typeId, [(uint)componentIdx]);

    /// <summary>Adds an array.</summary>
    public int AddArray(int elemTypeId, int indexTypeId, int count) =>
        Add("", BtfKind.Array, 0, false, 0, [(uint)elemTypeId, (uint)indexTypeId, (uint)count]);

    /// <summary>Adds a struct with laid-out members.</summary>
    public int AddStruct(string name, int sizeBytes, IEnumerable<BtfMember> members) =>
        AddComposite(BtfKind.Struct, name, sizeBytes, members);

    /// <summary>Adds a union.</summary>
    public int AddUnion(string name, int sizeBytes, IEnumerable<BtfMember> members) =>
        AddComposite(BtfKind.Union, name, sizeBytes, members);

    /// <summary>Adds a forward declaration; <see cref="Complete"/> can make it a struct or union later.</summary>
    public int AddFwd(string name, bool isUnion = false) => Add(name, BtfKind.Fwd, 0, isUnion, 0);

    /// <summary>Turns a forward declaration into the struct or union that it announced, under the same id.</summary>
    public void Complete(int fwdId, int sizeBytes, IEnumerable<BtfMember> members)
    {
        ArgumentNullException.ThrowIfNull(members);
        var old = Own(fwdId);
        if (KindOf(old) != BtfKind.Fwd)
        {
            throw new ArgumentException("only a forward declaration can be completed", nameof(fwdId));
        }

        var kind = (old[1] >> 31) != 0 ? BtfKind.Union : BtfKind.Struct;
        _types[fwdId - _startId] = CompositeWords(old[0], kind, sizeBytes, members);
    }

    /// <summary>Adds an enum of up to 4 bytes.</summary>
    public int AddEnum(string name, int sizeBytes, bool isSigned, IEnumerable<BtfEnumValue> values)
    {
        var words = values.SelectMany(v => new[] { StringOffset(v.Name), (uint)v.Value }).ToArray();
        return Add(name, BtfKind.Enum, words.Length / 2, isSigned, (uint)sizeBytes, words);
    }

    /// <summary>Adds an enum whose values take 64 bits.</summary>
    public int AddEnum64(string name, int sizeBytes, bool isSigned, IEnumerable<BtfEnumValue> values)
    {
        var words = values
            .SelectMany(v => new[] { StringOffset(v.Name), (uint)v.Value, (uint)((ulong)v.Value >> 32) }).ToArray();
        return Add(name, BtfKind.Enum64, words.Length / 3, isSigned, (uint)sizeBytes, words);
    }

    /// <summary>Adds a function prototype; a last parameter of type 0 without a name means <c>...</c>.</summary>
    public int AddFuncProto(int returnTypeId, IEnumerable<BtfParam> parameters)
    {
        var words = parameters.SelectMany(p => new[] { StringOffset(p.Name), (uint)p.TypeId }).ToArray();
        return Add("", BtfKind.FuncProto, words.Length / 2, false, (uint)returnTypeId, words);
    }

    /// <summary>Adds a function.</summary>
    /// <param name="name">The function's name.</param>
    /// <param name="protoId">Its prototype.</param>
    /// <param name="linkage">0 static, 1 global, 2 extern.</param>
    public int AddFunc(string name, int protoId, int linkage = 0) =>
        Add(name, BtfKind.Func, linkage, false, (uint)protoId);

    /// <summary>Adds a variable.</summary>
    /// <param name="name">The variable's name.</param>
    /// <param name="typeId">Its type.</param>
    /// <param name="linkage">0 static, 1 global, 2 extern.</param>
    public int AddVar(string name, int typeId, int linkage = 1) =>
        Add(name, BtfKind.Var, 0, false, (uint)typeId, [(uint)linkage]);

    /// <summary>Adds a data section with its variables.</summary>
    public int AddDataSec(string name, int sizeBytes, IEnumerable<BtfVarSecInfo> vars)
    {
        var words = vars.SelectMany(v => new[] { (uint)v.TypeId, (uint)v.OffsetBytes, (uint)v.SizeBytes }).ToArray();
        return Add(name, BtfKind.DataSec, words.Length / 3, false, (uint)sizeBytes, words);
    }

    /// <summary>The BTF written so far. The builder can go on; what was built does not change.</summary>
    /// <exception cref="DiagnosticException">A type has a reference to an id that was never added.</exception>
    public BtfSpec Build() => BtfSpec.Read(ToBytes(), Name, Base);

    /// <summary>Name, and how many types it has so far.</summary>
    public override string ToString() => $"BTF \"{Name}\" to be built ({_types.Count} types so far)";

    /// <summary>The content of a <c>.BTF</c> section.</summary>
    public byte[] ToBytes(bool bigEndian = false)
    {
        var typeBytes = 4 * _types.Sum(t => t.Length);
        var bytes = new byte[BtfHeader.Bytes + typeBytes + _strings.Count];
        new BtfHeader(BtfHeader.Bytes, 0, (uint)typeBytes, (uint)typeBytes, (uint)_strings.Count).Write(
            bytes, bigEndian);
        var at = BtfHeader.Bytes;
        foreach (var word in _types.SelectMany(t => t))
        {
            BtfHeader.WriteU32(bytes.AsSpan(at), word, bigEndian);
            at += 4;
        }

        _strings.CopyTo(bytes, at);
        return bytes;
    }

    internal BtfKind KindOf(int id) => id == 0 ? BtfKind.Void : id < _startId ? Base!.KindOf(id) : KindOf(Own(id));

    internal int RefOf(int id) => id < _startId ? Base!.RefTypeOf(id) : (int)Own(id)[2];

    internal int SizeWordOf(int id) => id < _startId ? Base!.SizeOf(id) : (int)Own(id)[2];

    internal BtfArrayInfo ArrayOf(int id) => id < _startId
        ? Base!.ArrayOf(id)
        : new((int)Own(id)[3], (int)Own(id)[4], (int)Own(id)[5]);

    internal void AppendToDataSec(int id, BtfVarSecInfo v)
    {
        var old = Own(id);
        uint[] grown = [.. old, (uint)v.TypeId, (uint)v.OffsetBytes, (uint)v.SizeBytes];
        grown[1] = InfoWord(BtfKind.DataSec, (int)(old[1] & VLenMax) + 1, false);
        grown[2] = (uint)(v.OffsetBytes + v.SizeBytes);
        _types[id - _startId] = grown;
    }

    /// <summary>Whether a type has no members, values or parameters.</summary>
    internal bool IsEmpty(int id) => id < _startId ? Base!.VLenOf(id) == 0 : (Own(id)[1] & VLenMax) == 0;

    internal bool IsAnonymous(int id) => id < _startId ? Base!.NameOf(id).Length == 0 : Own(id)[0] == 0;

    /// <summary>Whether two types of this BTF are the same id or prototypes with the same types in them.</summary>
    internal bool SameShape(int a, int b)
    {
        if (a == b || a < _startId || b < _startId)
        {
            return a == b;
        }

        uint[] x = Own(a), y = Own(b);
        return KindOf(x) == BtfKind.FuncProto && x.Length == y.Length && x[1] == y[1] && x[2] == y[2]
            && Enumerable.Range(3, x.Length - 3).All(
                i => (i & 1) != 0 || x[i] == y[i] || SameShape((int)x[i], (int)y[i]));
    }

    internal uint StringOffset(string text)
    {
        if (_stringOffsets.TryGetValue(text, out var offset))
        {
            return offset;
        }

        if (text.Contains('\0', StringComparison.Ordinal))
        {
            throw new ArgumentException("a name cannot contain NUL", nameof(text));
        }

        offset = (uint)(_startStringOffset + _strings.Count);
        _strings.AddRange(Encoding.UTF8.GetBytes(text));
        _strings.Add(0);
        return _stringOffsets[text] = offset;
    }

    private static BtfKind KindOf(uint[] words) => (BtfKind)((words[1] >> 24) & 0x1f);

    private uint[] Own(int id)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(id, _startId);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, NextId);
        return _types[id - _startId];
    }

    private int AddComposite(BtfKind kind, string name, int sizeBytes, IEnumerable<BtfMember> members)
    {
        _types.Add(CompositeWords(StringOffset(name), kind, sizeBytes, members));
        return NextId - 1;
    }

    private uint[] CompositeWords(uint nameOffset, BtfKind kind, int sizeBytes, IEnumerable<BtfMember> members)
    {
        var all = members.ToList();
        var kindFlag = all.Exists(m => m.BitfieldSizeBits != 0);
        var words = all.SelectMany(m => new[]
        {
            StringOffset(m.Name), (uint)m.TypeId, (uint)m.BitOffset | (kindFlag ? (uint)m.BitfieldSizeBits << 24 : 0),
        });
        return [nameOffset, InfoWord(kind, all.Count, kindFlag), (uint)sizeBytes, .. words];
    }

    private int Add(string name, BtfKind kind, int vlen, bool kindFlag, uint sizeOrType, params uint[] trailer)
    {
        _types.Add([StringOffset(name), InfoWord(kind, vlen, kindFlag), sizeOrType, .. trailer]);
        return NextId - 1;
    }

    private static uint InfoWord(BtfKind kind, int vlen, bool kindFlag)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vlen, VLenMax);
        return ((uint)kind << 24) | (uint)vlen | (kindFlag ? 1u << 31 : 0);
    }
}
