namespace Kptr.Btf;

/// <summary>The type tags between a pointer and what it points to.</summary>
/// <param name="PointeeId">What is below all modifiers.</param>
/// <param name="Tag">The tag that was looked for and is there; null for none.</param>
/// <param name="HasSeveral">Several different ones are there, and a kernel takes none.</param>
internal readonly record struct BtfTagWalk(int PointeeId, string? Tag, bool HasSeveral)
{
    /// <summary>
    /// Reads them as 7.2 does: in any order, among other modifiers, and past tags that nobody looks for or that stand
    /// for an attribute.
    /// </summary>
    /// <remarks>Kernel: <c>btf_type_tag_walk</c>, 7.2.</remarks>
    internal static BtfTagWalk Of(BtfSpec btf, int ptrId, Predicate<string> isKnown)
    {
        string? tag = null;
        var hasSeveral = false;
        var id = btf.RefTypeOf(ptrId);
        for (var left = BtfSpec.ModifierChainMax; left > 0 && BtfSpec.IsModifier(btf.KindOf(id)); left--)
        {
            if (btf.KindOf(id) == BtfKind.TypeTag && !btf.KindFlagOf(id) && btf.NameOf(id) is var name
                && isKnown(name))
            {
                hasSeveral |= tag is not null && tag != name;
                tag = name;
            }

            id = btf.RefTypeOf(id);
        }

        return new(id, tag, hasSeveral);
    }
}
