using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>Which access sizes a context field takes.</summary>
/// <param name="Bytes">The field's own size; 0 for no access.</param>
/// <param name="Narrow">Smaller powers of two are taken as well.</param>
/// <param name="Least">The smallest size taken.</param>
internal readonly record struct CtxSizes(int Bytes, bool Narrow, int Least = 1)
{
    /// <summary>No access at all.</summary>
    public static CtxSizes None => default;

    /// <summary>Any size that stays inside the field.</summary>
    public static CtxSizes Any => new(int.MaxValue, true);

    /// <summary>One size.</summary>
    public static CtxSizes Exact(int bytes) => new(bytes, false);

    /// <summary>Sizes up to this one (<c>bpf_ctx_narrow_access_ok</c>).</summary>
    public static CtxSizes UpTo(int bytes) => new(bytes, true);

    /// <summary>Whether an access of this size is taken.</summary>
    public bool Allows(int size) => Narrow ? size <= Bytes && size >= Least : size == Bytes;
}

/// <summary>One field of a program's context as the program sees it.</summary>
/// <param name="Name">Its name in the uapi struct.</param>
/// <param name="Off">Byte offset.</param>
/// <param name="SizeBytes">Bytes it covers.</param>
/// <param name="Read">Which loads are taken.</param>
internal sealed record CtxField(string Name, int Off, int SizeBytes, CtxSizes Read)
{
    /// <summary>Which stores are taken.</summary>
    public CtxSizes Write { get; init; }

    /// <summary>What a load gives.</summary>
    public RegType Type { get; init; } = RegType.Scalar;

    /// <summary>Attach types that have the field at all; empty means every one.</summary>
    public AttachType[] Attach { get; init; } = [];

    /// <summary>Aligned 8-byte accesses inside the field are taken too (<c>bpf_ctx_wide_access_ok</c>).</summary>
    public bool Wide { get; init; }

    /// <summary>Loads that do not begin where the field does; where null, the same as others.</summary>
    public CtxSizes? ReadInside { get; init; }

    /// <summary>Loads that extend the sign are refused.</summary>
    public bool NoSignExtension { get; init; }

    /// <summary>Whether an access is taken.</summary>
    public bool Allows(int off, int size, bool write, bool signExtend, AttachType? attach)
    {
        if (off + size > Off + SizeBytes || (NoSignExtension && signExtend))
        {
            return false;
        }

        if (Attach.Length > 0 && (attach is not { } at || Array.IndexOf(Attach, at) < 0))
        {
            return false;
        }

        return (Wide && size == 8 && off % 8 == 0)
            || (write ? Write : off != Off && ReadInside is { } inside ? inside : Read).Allows(size);
    }
}

/// <summary>The context of a program type: a struct of fields and holes.</summary>
/// <param name="Fields">Fields by rising offset; what is between them cannot be accessed.</param>
internal sealed record CtxStruct(params CtxField[] Fields)
{
    /// <summary>The field that covers this byte, or <see langword="null"/>.</summary>
    public CtxField? FieldAt(int off) => Array.Find(Fields, f => off >= f.Off && off < f.Off + f.SizeBytes);
}
