using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>
/// What loading a program's BTF into the kernel checks beyond its form: no type contains itself, members lie in their
/// struct, and type tags stand before other modifiers. After it, walks through members and modifiers end.
/// </summary>
/// <remarks>Kernel: <c>btf_resolve</c>, <c>btf_struct_check_meta</c> and <c>btf_check_type_tags</c> (kernel/bpf/btf.c, 6.12).</remarks>
internal sealed class BtfLoadCheck(BtfSpec btf)
{
    private const int ChainMax = 32;
    private readonly byte[] _marks = new byte[btf.TypeCount];
    private readonly Stack<(int Id, int Edge)> _path = new();

    /// <exception cref="BtfRecordFault">The kernel would refuse the BTF.</exception>
    internal void Run()
    {
        RefuseCycles(ByValue);
        Array.Clear(_marks);
        RefuseCycles(ByPointer);
        for (var id = 1; id < btf.TypeCount; id++)
        {
            switch (btf.KindOf(id))
            {
                case BtfKind.Struct or BtfKind.Union:
                    CheckMembers(id);
                    break;
                case BtfKind.TypeTag or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.Typedef:
                    CheckTags(id);
                    break;
            }
        }
    }

    /// <summary>Depth first, on a stack of our own: marks are 0 unseen, 1 on the path, 2 done.</summary>
    private void RefuseCycles(Func<int, int, int> edge)
    {
        for (var root = 1; root < btf.TypeCount; root++)
        {
            if (_marks[root] != 0)
            {
                continue;
            }

            _marks[root] = 1;
            _path.Push((root, 0));
            while (_path.TryPop(out var at))
            {
                var next = edge(at.Id, at.Edge);
                if (next < 0)
                {
                    _marks[at.Id] = 2;
                    continue;
                }

                _path.Push((at.Id, at.Edge + 1));
                if (_marks[next] == 1)
                {
                    throw new BtfRecordFault(Errno.ELOOP, $"type {next} '{btf.NameOf(next)}' contains itself");
                }

                if (_marks[next] == 0)
                {
                    _marks[next] = 1;
                    _path.Push((next, 0));
                }
            }
        }
    }

    /// <summary>Type number <paramref name="edge"/> that a value of this type has in it, or -1 after the last.</summary>
    private int ByValue(int id, int edge) => btf.KindOf(id) switch
    {
        BtfKind.Struct or BtfKind.Union when edge < btf.VLenOf(id) => btf.MemberTypeOf(id, edge),
        BtfKind.Array when edge == 0 => btf.ArrayOf(id).ElemTypeId,
        BtfKind.Typedef or BtfKind.Const or BtfKind.Volatile or BtfKind.Restrict or BtfKind.TypeTag or BtfKind.Var
            when edge == 0 => btf.RefTypeOf(id),
        _ => -1,
    };

    private int ByPointer(int id, int edge) => edge == 0 && (btf.KindOf(id) == BtfKind.Ptr || BtfSpec.IsModifier(btf.KindOf(id)))
        ? btf.RefTypeOf(id)
        : -1;

    private void CheckMembers(int id)
    {
        var last = 0;
        for (int i = 0, n = btf.VLenOf(id); i < n; i++)
        {
            var (at, bits) = (btf.MemberBitOffsetOf(id, i), btf.MemberBitsOf(id, i));
            var end = bits > 0 ? ((long)at + bits + 7) / 8 : (at / 8) + (long)Math.Max(btf.ResolveSize(btf.MemberTypeOf(id, i)), 0);
            var isUnionShifted = btf.KindOf(id) == BtfKind.Union && at != 0;
            if (at < last || isUnionShifted || end > btf.SizeOf(id))
            {
                throw new BtfRecordFault(
                    Errno.EINVAL, $"member '{btf.MemberNameOf(id, i)}' of '{btf.NameOf(id)}' is out of order or exceeds its struct");
            }

            last = at;
        }
    }

    private void CheckTags(int id)
    {
        var inTags = btf.KindOf(id) == BtfKind.TypeTag;
        for (var left = ChainMax; BtfSpec.IsModifier(btf.KindOf(id)); left--, id = btf.RefTypeOf(id))
        {
            if (left == 0)
            {
                throw new BtfRecordFault(Errno.ELOOP, "Max chain length or cycle detected");
            }

            if (btf.KindOf(id) != BtfKind.TypeTag)
            {
                inTags = false;
            }
            else if (!inTags)
            {
                throw new BtfRecordFault(Errno.EINVAL, "Type tags don't precede modifiers");
            }
        }
    }
}
