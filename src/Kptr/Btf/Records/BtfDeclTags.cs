namespace Kptr.Btf;

/// <summary>The declaration tags of one BTF by what they mark.</summary>
internal sealed class BtfDeclTags
{
    private readonly Dictionary<(int TypeId, int ComponentIdx), List<string>> _tags = [];

    internal BtfDeclTags(BtfSpec btf)
    {
        for (var id = 1; id < btf.TypeCount; id++)
        {
            if (btf.KindOf(id) == BtfKind.DeclTag)
            {
                var at = (btf.RefTypeOf(id), btf.ComponentIdxOf(id));
                if (!_tags.TryGetValue(at, out var list))
                {
                    _tags[at] = list = [];
                }

                list.Add(btf.NameOf(id));
            }
        }
    }

    /// <summary>
    /// What follows <paramref name="prefix"/> in the tags that start with it, in the order of their ids.
    /// </summary>
    internal IEnumerable<string> Find(int typeId, int componentIdx, string prefix) =>
        _tags.TryGetValue((typeId, componentIdx), out var list)
            ? list.Where(t => t.StartsWith(prefix, StringComparison.Ordinal)).Select(t => t[prefix.Length..])
            : [];
}
