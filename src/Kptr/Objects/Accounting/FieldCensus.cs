using Kptr.Btf;

namespace Kptr.Objects;

/// <summary>What the special fields of one value or object hold now.</summary>
internal static class FieldCensus
{
    /// <summary>Every object that the fields own a reference on.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="record">The fields.</param>
    /// <param name="address">Where the value starts.</param>
    /// <param name="describe">Says who a field is.</param>
    internal static IEnumerable<HeldSlot> Of(
        KernelCore core, BtfRecord record, ulong address, Func<BtfField, Holder> describe)
    {
        foreach (var field in record.Fields)
        {
            var at = address + (ulong)field.OffsetBytes;
            if ((field.Kind & (BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu)) != 0)
            {
                if (Word(at) is var inSlot and not 0)
                {
                    yield return new(at, inSlot, describe(field));
                }
            }
            else if ((field.Kind & BtfFieldKind.GraphRoot) != 0 && Word(at) != 0)
            {
                var holder = new CollectionHolder(
                    field.Kind == BtfFieldKind.RbRoot ? "rbtree" : "list", describe(field));
                foreach (var held in core.Graphs.ObjectsNow(field.Kind, at))
                {
                    yield return new(at, held, holder);
                }
            }
        }
    }

    private static unsafe ulong Word(ulong at) => Volatile.Read(ref *(ulong*)at);
}
