using System.Collections.Frozen;
using Kptr.Btf;
using Kptr.Verifier.State;

namespace Kptr.Verifier.Context;

/// <summary>What the type tags of a pointer say of the memory it points to.</summary>
internal static class PointeeTags
{
    /// <summary>Those of members of structs.</summary>
    public static readonly FrozenSet<string> OfMembers = FrozenSet.Create("user", "percpu", "rcu");

    /// <summary>Those of arguments.</summary>
    public static readonly FrozenSet<string> OfArgs = FrozenSet.Create("user", "percpu");

    /// <summary>The modifiers of what a pointer points to; null where tags contradict each other.</summary>
    /// <param name="ptr">The pointer.</param>
    /// <param name="known">The tags that count.</param>
    /// <param name="amongModifiers">As <see cref="BtfRecordRules.ReadsTagsAmongModifiers"/>.</param>
    public static RegType? Of(BtfType ptr, FrozenSet<string> known, bool amongModifiers)
    {
        if (!amongModifiers)
        {
            return ptr.Ref is { Kind: BtfKind.TypeTag } tag && known.Contains(tag.Name) ? FlagOf(tag.Name) : 0;
        }

        var walk = BtfTagWalk.Of(ptr.Btf, ptr.Id, known.Contains);
        return walk.HasSeveral ? null : FlagOf(walk.Tag);
    }

    private static RegType FlagOf(string? tag) => tag switch
    {
        "user" => RegType.MemUser,
        "percpu" => RegType.MemPercpu,
        "rcu" => RegType.MemRcu,
        _ => 0,
    };
}
