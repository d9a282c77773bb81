using Kptr.Btf;

namespace Kptr.Verifier;

/// <summary>What messages call kinds of types (<c>btf_kind_str</c>).</summary>
internal static class BtfWords
{
    public static string KindName(BtfType type) => type.Kind switch
    {
        BtfKind.Void => "UNKNOWN",
        BtfKind.FuncProto => "FUNC_PROTO",
        BtfKind.TypeTag => "TYPE_TAG",
        BtfKind.DeclTag => "DECL_TAG",
        _ => type.Kind.ToString().ToUpperInvariant(),
    };
}
