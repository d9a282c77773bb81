using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>
/// Whether a kernel takes a program's BTF, special fields aside: the layout of the file, the form of each type, what
/// types refer to, and the order of type tags. After it, walks through members and modifiers end.
/// </summary>
/// <remarks>Kernel: <c>btf_parse</c> (kernel/bpf/btf.c, 6.12). The BTF must have no base.</remarks>
internal sealed class BtfLoadCheck(BtfSpec btf, BtfRecordRules rules)
{
    private const int SizeBytesMax = 16 << 20;
    private const int ChainMax = 32;

    /// <exception cref="BtfRecordFault">The kernel would refuse the BTF.</exception>
    internal void Run()
    {
        if (btf.LayoutFault is { } fault)
        {
            throw new BtfRecordFault(Errno.EINVAL, fault);
        }

        if (btf.SizeBytes > SizeBytesMax)
        {
            throw new BtfRecordFault(Errno.E2BIG, $"BTF of {btf.SizeBytes} bytes is larger than {SizeBytesMax}");
        }

        if (btf.TypeCount == 1)
        {
            throw new BtfRecordFault(Errno.EINVAL, "No type found");
        }

        var form = new BtfFormCheck(btf, rules);
        for (var id = 1; id < btf.TypeCount; id++)
        {
            form.Check(id);
        }

        new BtfResolver(btf).Run();
        CheckTypeTags();
    }

    /// <summary>
    /// Chains of modifiers are short and, where the kernel asks, type tags stand before other modifiers.
    /// </summary>
    /// <remarks>
    /// Kernel: <c>btf_check_type_tags</c> (7.2: <c>btf_check_modifier_chain_length</c>). A chain
    /// ends where it meets a type that was already looked at.
    /// </remarks>
    private void CheckTypeTags()
    {
        for (var id = 1; id < btf.TypeCount; id++)
        {
            var inTags = true;
            var left = ChainMax;
            for (var at = id; BtfSpec.IsModifier(btf.KindOf(at)); at = btf.RefTypeOf(at))
            {
                if (left-- == 0)
                {
                    throw new BtfRecordFault(Errno.ELOOP, "Max chain length or cycle detected");
                }

                var isTag = btf.KindOf(at) == BtfKind.TypeTag;
                if (isTag && !inTags && !rules.ReadsTagsAmongModifiers)
                {
                    throw new BtfRecordFault(Errno.EINVAL, $"[{id}] Type tags don't precede modifiers");
                }

                inTags &= isTag;
                if (at < id)
                {
                    break;
                }
            }
        }
    }
}
