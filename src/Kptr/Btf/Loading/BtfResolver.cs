using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>
/// What types refer to: no type contains itself, nothing without a size stands where a size is needed.
/// </summary>
/// <remarks>
/// Kernel: <c>btf_check_all_types</c> and the <c>resolve</c> of each kind (kernel/bpf/btf.c, 6.12). The order of
/// the walk and its depth of 32 decide which deep types are refused, so both are the kernel's. Below a pointer the
/// walk follows modifiers and pointers only, inside a struct or array only what lies in it by value: lists that
/// point to themselves are no loop.
/// </remarks>
internal sealed class BtfResolver(BtfSpec btf)
{
    private const int DepthMax = 32;

    private readonly Visit[] _visits = new Visit[btf.TypeCount];
    private readonly int[] _ids = new int[btf.TypeCount];
    private readonly uint[] _sizes = new uint[btf.TypeCount];
    private readonly (int Id, int Next)[] _path = new (int Id, int Next)[DepthMax];
    private readonly BtfMemberCheck _members = new(btf);
    private int _depth;
    private Mode _mode;

    private enum Visit : byte
    {
        New,
        OnPath,
        Done,
    }

    /// <summary>What the walk follows; set by the first struct, array or pointer on the path.</summary>
    private enum Mode
    {
        Open,
        Ptr,
        StructOrArray,
    }

    /// <exception cref="BtfRecordFault">The kernel would refuse the BTF.</exception>
    internal void Run()
    {
        for (var id = 1; id < btf.TypeCount; id++)
        {
            Settle(id);
            if (btf.KindOf(id) == BtfKind.FuncProto)
            {
                CheckProto(id);
            }
        }
    }

    private void Settle(int id)
    {
        if (!NeedsResolve(btf.KindOf(id)) || _visits[id] == Visit.Done)
        {
            return;
        }

        _mode = Mode.Open;
        Enter(id, id);
        while (_depth > 0)
        {
            Step(_path[_depth - 1].Id);
        }

        if (!IsSettled(id))
        {
            Refuse(id, "Invalid resolve state");
        }
    }

    private void Step(int id)
    {
        switch (btf.KindOf(id))
        {
            case BtfKind.Ptr:
                StepRef(id, mayLackSize: true, followsPtr: true);
                break;
            case BtfKind.Var:
                StepRef(id, mayLackSize: false, followsPtr: true);
                break;
            case BtfKind.Array:
                StepArray(id);
                break;
            case BtfKind.Struct or BtfKind.Union:
                StepStruct(id);
                break;
            case BtfKind.Func:
                CheckFunc(id);
                Leave(btf.RefTypeOf(id));
                break;
            case BtfKind.DataSec:
                StepDataSec(id);
                break;
            case BtfKind.DeclTag:
                StepDeclTag(id);
                break;
            default:
                StepRef(id, mayLackSize: true, followsPtr: false);
                break;
        }
    }

    /// <summary>Modifiers, pointers and variables.</summary>
    private void StepRef(int id, bool mayLackSize, bool followsPtr)
    {
        var next = btf.RefTypeOf(id);
        if (IsSourceOnly(btf.KindOf(next)))
        {
            Refuse(id, "Invalid type_id");
        }

        if (NeedsFirst(next))
        {
            Enter(next, id);
            return;
        }

        // A modifier that was resolved inside a struct may have stopped at a pointer, which was not followed then.
        if (followsPtr && BtfSpec.IsModifier(btf.KindOf(next)) && _ids[next] is var target
            && btf.KindOf(target) == BtfKind.Ptr && NeedsFirst(target))
        {
            Enter(target, id);
            return;
        }

        if (!HasSize(ref next, out _))
        {
            next = _visits[next] == Visit.Done ? _ids[next] : next;
            if (!mayLackSize || btf.KindOf(next) is not (BtfKind.Void or BtfKind.Fwd or BtfKind.FuncProto))
            {
                Refuse(id, "Invalid type_id");
            }
        }

        Leave(next);
    }

    private void StepArray(int id)
    {
        var array = btf.ArrayOf(id);
        var (index, elem) = (array.IndexTypeId, array.ElemTypeId);
        RequirePart(id, index, "Invalid index");
        if (NeedsFirst(index))
        {
            Enter(index, id);
            return;
        }

        if (!HasSize(ref index, out _) || btf.KindOf(index) != BtfKind.Int || !BtfMemberCheck.IsRegular(btf, index))
        {
            Refuse(id, "Invalid index");
        }

        RequirePart(id, elem, "Invalid elem");
        if (NeedsFirst(elem))
        {
            Enter(elem, id);
            return;
        }

        if (!HasSize(ref elem, out var size))
        {
            Refuse(id, "Invalid elem");
        }

        if (btf.KindOf(elem) == BtfKind.Int && !BtfMemberCheck.IsRegular(btf, elem))
        {
            Refuse(id, "Invalid array of int");
        }

        if ((ulong)size * btf.WholeCountOf(id) > uint.MaxValue)
        {
            Refuse(id, "Array size overflows U32_MAX");
        }

        Leave(elem, size * btf.WholeCountOf(id));
    }

    private void StepStruct(int id)
    {
        for (int i = _path[_depth - 1].Next, n = btf.VLenOf(id); i < n; i++)
        {
            var member = btf.MemberTypeOf(id, i);
            RequirePart(id, member, "Invalid member");
            if (NeedsFirst(member))
            {
                _path[_depth - 1].Next = i;
                Enter(member, id);
                return;
            }

            var fault = HasSize(ref member, out var size) ? _members.FaultOf(id, i, member, size) : "Invalid member";
            if (fault is not null)
            {
                Refuse(id, $"member {i}: {fault}");
            }
        }

        Leave(0);
    }

    private void StepDataSec(int id)
    {
        _mode = Mode.Open;
        for (int i = _path[_depth - 1].Next, n = btf.VLenOf(id); i < n; i++)
        {
            var part = btf.VarOf(id, i);
            if (btf.KindOf(part.TypeId) != BtfKind.Var)
            {
                Refuse(id, "Not a VAR kind member");
            }

            // The kernel goes on behind a variable that it had to resolve first, and never compares that one's size.
            if (NeedsFirst(part.TypeId))
            {
                _path[_depth - 1].Next = i + 1;
                Enter(part.TypeId, id);
                return;
            }

            var type = btf.RefTypeOf(part.TypeId);
            if (!HasSize(ref type, out var size))
            {
                Refuse(id, "Invalid type");
            }

            if (btf.Word(id, 5 + (3 * i)) < size)
            {
                Refuse(id, "Invalid size");
            }
        }

        Leave(0);
    }

    private void StepDeclTag(int id)
    {
        var target = btf.RefTypeOf(id);
        var kind = btf.KindOf(target);
        if (kind is not (BtfKind.Func or BtfKind.Struct or BtfKind.Union or BtfKind.Var or BtfKind.Typedef))
        {
            Refuse(id, "Invalid type_id");
        }

        if (NeedsFirst(target))
        {
            Enter(target, id);
            return;
        }

        var parts = kind switch
        {
            BtfKind.Var or BtfKind.Typedef => 0,
            BtfKind.Func => btf.VLenOf(btf.RefTypeOf(target)),
            _ => btf.VLenOf(target),
        };
        if (btf.ComponentIdxOf(id) >= parts)
        {
            Refuse(id, "Invalid component_idx");
        }

        Leave(target);
    }

    private void CheckFunc(int id)
    {
        var proto = btf.RefTypeOf(id);
        if (btf.KindOf(proto) != BtfKind.FuncProto)
        {
            Refuse(id, "Invalid type_id");
        }

        for (int i = 0, n = btf.VLenOf(proto); i < n; i++)
        {
            if (btf.ParamTypeOf(proto, i) != 0 && btf.ParamIsAnonymous(proto, i))
            {
                Refuse(id, $"Invalid arg#{i + 1}");
            }
        }
    }

    private void CheckProto(int id)
    {
        if (!btf.HasResult(id) || (btf.RefTypeOf(id) is var result and not 0 && !Passes(result)))
        {
            Refuse(id, "Invalid return type");
        }

        var count = btf.VLenOf(id);
        if (count > 0 && btf.ParamTypeOf(id, count - 1) == 0)
        {
            count--;
            if (!btf.ParamIsAnonymous(id, count))
            {
                Refuse(id, $"Invalid arg#{count + 1}");
            }
        }

        for (var i = 0; i < count; i++)
        {
            if (btf.ParamTypeOf(id, i) == 0
                || (!btf.ParamIsAnonymous(id, i) && !BtfNames.IsIdentifier(btf.NameBytes(id, 3 + (2 * i))))
                || !Passes(btf.ParamTypeOf(id, i)))
            {
                Refuse(id, $"Invalid arg#{i + 1}");
            }
        }
    }

    /// <summary>Whether a function can take or return the type.</summary>
    private bool Passes(int id)
    {
        if (IsSourceOnly(btf.KindOf(id)))
        {
            return false;
        }

        Settle(id);
        return HasSize(ref id, out _);
    }

    /// <summary>
    /// The type's size; of modifiers and variables that of the type they end in, which <paramref name="id"/> becomes.
    /// </summary>
    private bool HasSize(ref int id, out uint size)
    {
        var end = BtfSpec.IsModifier(btf.KindOf(id)) || btf.KindOf(id) == BtfKind.Var ? _ids[id] : id;
        switch (btf.KindOf(end))
        {
            case BtfKind.Array:
                size = _sizes[end];
                break;
            case BtfKind.Ptr or BtfKind.Int or BtfKind.Struct or BtfKind.Union or BtfKind.Enum or BtfKind.Enum64
                or BtfKind.Float or BtfKind.DataSec:
                size = btf.WholeSizeOf(end);
                break;
            default:
                size = 0;
                return false;
        }

        id = end;
        return true;
    }

    private void Enter(int id, int from)
    {
        if (_depth == DepthMax)
        {
            Refuse(from, $"Exceeded max resolving depth:{DepthMax}", Errno.E2BIG);
        }

        if (_visits[id] != Visit.New)
        {
            Refuse(from, "Loop detected", Errno.EEXIST);
        }

        _visits[id] = Visit.OnPath;
        _path[_depth++] = (id, 0);
        if (_mode == Mode.Open)
        {
            _mode = btf.KindOf(id) switch
            {
                BtfKind.Ptr => Mode.Ptr,
                BtfKind.Struct or BtfKind.Union or BtfKind.Array => Mode.StructOrArray,
                _ => Mode.Open,
            };
        }
    }

    private void Leave(int resolvedId, uint size = 0)
    {
        var id = _path[--_depth].Id;
        (_ids[id], _sizes[id], _visits[id]) = (resolvedId, size, Visit.Done);
    }

    private bool NeedsFirst(int id) => _visits[id] != Visit.Done && Follows(btf.KindOf(id));

    private bool Follows(BtfKind kind) => _mode switch
    {
        Mode.Ptr => BtfSpec.IsModifier(kind) || kind == BtfKind.Ptr,
        Mode.StructOrArray => BtfSpec.IsModifier(kind) || kind is BtfKind.Array or BtfKind.Struct or BtfKind.Union,
        _ => NeedsResolve(kind),
    };

    private static bool NeedsResolve(BtfKind kind) => BtfSpec.IsModifier(kind) || kind is BtfKind.Ptr or BtfKind.Struct
        or BtfKind.Union or BtfKind.Array or BtfKind.Var or BtfKind.Func or BtfKind.DeclTag or BtfKind.DataSec;

    /// <summary>Variables, sections and declaration tags: nothing may refer to them but what lists them.</summary>
    private static bool IsSourceOnly(BtfKind kind) => kind is BtfKind.Var or BtfKind.DataSec or BtfKind.DeclTag;

    /// <summary>What lies in a struct or array is a value.</summary>
    private void RequirePart(int id, int part, string what)
    {
        if (IsSourceOnly(btf.KindOf(part))
            || btf.KindOf(part) is BtfKind.Void or BtfKind.Fwd or BtfKind.Func or BtfKind.FuncProto)
        {
            Refuse(id, what);
        }
    }

    /// <summary>What the walk left behind must be an end: the kernel looks once more.</summary>
    private bool IsSettled(int id)
    {
        if (_visits[id] != Visit.Done)
        {
            return false;
        }

        switch (btf.KindOf(id))
        {
            case BtfKind.Struct or BtfKind.Union or BtfKind.DataSec:
                return true;
            case BtfKind.Func or BtfKind.DeclTag:
                return _ids[id] != 0;
            case BtfKind.Array:
                var elem = btf.ArrayOf(id).ElemTypeId;
                return HasSize(ref elem, out _) && !BtfSpec.IsModifier(btf.KindOf(elem));
            default:
                return !BtfSpec.IsModifier(btf.KindOf(_ids[id]))
                    && btf.KindOf(_ids[id]) is not (BtfKind.Var or BtfKind.DataSec);
        }
    }

    [DoesNotReturn]
    private void Refuse(int id, string what, Errno errno = Errno.EINVAL) =>
        throw new BtfRecordFault(errno, $"[{id}] {btf.KindOf(id)} {btf.NameOf(id)}: {what}");
}
