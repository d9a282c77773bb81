using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>
/// The form of single types: their flags, counts, names and sizes, without a look at what they refer to.
/// </summary>
/// <remarks>
/// Kernel: <c>btf_check_meta</c> and the <c>check_meta</c> of each kind (kernel/bpf/btf.c, 6.12). That every type lies
/// within the section, and every name and id within its table, is checked when BTF is read.
/// </remarks>
internal sealed class BtfFormCheck(BtfSpec btf, BtfRecordRules rules)
{
    private const uint InfoMask = 0x9f00ffff;
    private const uint IntDataMask = 0x0fffffff;
    private const int IntBitsMax = 128;
    private const int TypeIdMax = 0xfffff;
    private const int NameOffsetMax = 0xffffff;
    private const int FuncLinkageMax = 1;

    /// <exception cref="BtfRecordFault">The kernel would refuse the type.</exception>
    internal void Check(int id)
    {
        Require(id, (btf.Word(id, 1) & ~InfoMask) == 0, "Invalid btf_info");
        Require(id, btf.Word(id, 0) <= NameOffsetMax, "Invalid name_offset");
        switch (btf.KindOf(id))
        {
            case BtfKind.Int:
                CheckInt(id);
                break;
            case BtfKind.Ptr or BtfKind.Typedef or BtfKind.Volatile or BtfKind.Const
                or BtfKind.Restrict or BtfKind.TypeTag:
                CheckRef(id);
                break;
            case BtfKind.Fwd:
                Require(id, btf.VLenOf(id) == 0, "vlen != 0");
                Require(id, btf.Word(id, 2) == 0, "type != 0");
                RequireIdentifier(id);
                break;
            case BtfKind.Array:
                CheckArray(id);
                break;
            case BtfKind.Struct or BtfKind.Union:
                CheckStruct(id);
                break;
            case BtfKind.Enum or BtfKind.Enum64:
                CheckEnum(id);
                break;
            case BtfKind.FuncProto:
                Require(id, btf.IsAnonymous(id), "Invalid name");
                RequireNoKindFlag(id);
                break;
            case BtfKind.Func:
                RequireIdentifier(id);
                Require(id, btf.VLenOf(id) <= FuncLinkageMax, "Invalid func linkage");
                RequireNoKindFlag(id);
                break;
            case BtfKind.Var:
                CheckVar(id);
                break;
            case BtfKind.DataSec:
                CheckDataSec(id);
                break;
            case BtfKind.Float:
                RequirePlain(id);
                Require(id, btf.SizeOf(id) is 2 or 4 or 8 or 12 or 16, "Invalid type_size");
                break;
            case BtfKind.DeclTag:
                Require(id, !btf.NameBytes(id, 0).IsEmpty, "Invalid value");
                RequireTagForm(id);
                Require(id, btf.ComponentIdxOf(id) >= -1, "Invalid component_idx");
                break;
        }
    }

    private void CheckInt(int id)
    {
        RequirePlain(id);
        var data = btf.Word(id, 3);
        Require(id, (data & ~IntDataMask) == 0, "Invalid int_data");
        var bits = (int)((data & 0xff) + ((data >> 16) & 0xff));
        Require(id, bits <= IntBitsMax, "nr_bits exceeds 128");
        Require(id, (bits + 7) / 8 <= btf.WholeSizeOf(id), "nr_bits exceeds type_size");
        Require(id, (data >> 24) is 0 or 1 or 2 or 4, "Unsupported encoding", Errno.ENOTSUPP);
    }

    private void CheckRef(int id)
    {
        var kind = btf.KindOf(id);
        if (kind == BtfKind.TypeTag)
        {
            RequireTagForm(id);
        }
        else
        {
            RequirePlain(id);
        }

        Require(id, btf.Word(id, 2) <= TypeIdMax, "Invalid type_id");
        switch (kind)
        {
            case BtfKind.Typedef:
                RequireIdentifier(id);
                break;
            case BtfKind.TypeTag:
                Require(id, !btf.NameBytes(id, 0).IsEmpty, "Invalid name");
                break;
            default:
                Require(id, btf.IsAnonymous(id), "Invalid name");
                break;
        }
    }

    private void CheckArray(int id)
    {
        Require(id, btf.IsAnonymous(id), "Invalid name");
        RequirePlain(id);
        Require(id, btf.Word(id, 2) == 0, "size != 0");
        Require(id, btf.Word(id, 3) is > 0 and <= TypeIdMax, "Invalid elem");
        Require(id, btf.Word(id, 4) is > 0 and <= TypeIdMax, "Invalid index");
    }

    private void CheckStruct(int id)
    {
        RequireIdentifierOrNone(id, 0);
        var last = 0u;
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            RequireIdentifierOrNone(id, 3 + (3 * i));
            Require(id, btf.Word(id, 4 + (3 * i)) is > 0 and <= TypeIdMax, "Invalid type_id");
            var at = btf.MemberPlaceOf(id, i);
            Require(id, at >= last && (at == 0 || btf.KindOf(id) == BtfKind.Struct), "Invalid member bits_offset");
            Require(id, (at + 7L) / 8 <= btf.WholeSizeOf(id), "Member bits_offset exceeds its struct size");
            last = at;
        }
    }

    private void CheckEnum(int id)
    {
        Require(id, btf.SizeOf(id) <= 8 && BitOperations.IsPow2(btf.SizeOf(id)), "Unexpected size");
        RequireIdentifierOrNone(id, 0);
        var step = btf.KindOf(id) == BtfKind.Enum ? 2 : 3;
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            Require(id, BtfNames.IsIdentifier(btf.NameBytes(id, 3 + (step * i))), "Invalid name");
        }
    }

    private void CheckVar(int id)
    {
        RequirePlain(id);
        RequireIdentifier(id);
        Require(id, btf.Word(id, 2) is > 0 and <= TypeIdMax, "Invalid type_id");
        Require(id, btf.Word(id, 3) is 0 or 1, "Linkage not supported");
    }

    private void CheckDataSec(int id)
    {
        var size = btf.WholeSizeOf(id);
        Require(id, size != 0, "size == 0");
        RequireNoKindFlag(id);
        Require(id, BtfNames.IsSection(btf.NameBytes(id, 0)), "Invalid name");
        var (end, sum) = (0u, 0L);
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            var (at, bytes) = (btf.Word(id, 4 + (3 * i)), btf.Word(id, 5 + (3 * i)));
            Require(id, btf.Word(id, 3 + (3 * i)) is > 0 and <= TypeIdMax, "Invalid type_id");
            Require(id, at >= end && at < size, "Invalid offset");
            Require(id, bytes > 0 && bytes <= size, "Invalid size");
            end = unchecked(at + bytes);
            Require(id, end <= size, "Invalid offset+size");
            sum += bytes;
        }

        Require(id, sum <= size, "Invalid btf_info size");
    }

    private void RequirePlain(int id)
    {
        Require(id, btf.VLenOf(id) == 0, "vlen != 0");
        RequireNoKindFlag(id);
    }

    /// <summary>Newer kernels let the flag of a tag say that it stands for any attribute.</summary>
    private void RequireTagForm(int id)
    {
        Require(id, btf.VLenOf(id) == 0, "vlen != 0");
        if (!rules.AllowsAttributeTags)
        {
            RequireNoKindFlag(id);
        }
    }

    private void RequireNoKindFlag(int id) => Require(id, !btf.KindFlagOf(id), "Invalid btf_info kind_flag");

    private void RequireIdentifier(int id) => Require(id, BtfNames.IsIdentifier(btf.NameBytes(id, 0)), "Invalid name");

    private void RequireIdentifierOrNone(int id, int word) =>
        Require(id, btf.Word(id, word) == 0 || BtfNames.IsIdentifier(btf.NameBytes(id, word)), "Invalid name");

    private void Require(int id, [DoesNotReturnIf(false)] bool holds, string what, Errno errno = Errno.EINVAL)
    {
        if (!holds)
        {
            throw new BtfRecordFault(errno, $"[{id}] {btf.KindOf(id)} {btf.NameOf(id)}: {what}");
        }
    }
}
