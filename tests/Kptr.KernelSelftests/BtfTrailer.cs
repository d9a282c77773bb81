using Kptr.Btf;

namespace Kptr.KernelSelftests;

/// <summary>How long types are in the bytes of a BTF.</summary>
internal static class BtfTrailer
{
    /// <summary>Words of a type behind the three that each has.</summary>
    internal static int WordsOf(BtfType type) => type.Kind switch
    {
        BtfKind.Int or BtfKind.Var or BtfKind.DeclTag => 1,
        BtfKind.Array => 3,
        BtfKind.Struct or BtfKind.Union or BtfKind.DataSec or BtfKind.Enum64 => 3 * type.VLen,
        BtfKind.Enum or BtfKind.FuncProto => 2 * type.VLen,
        _ => 0,
    };
}
