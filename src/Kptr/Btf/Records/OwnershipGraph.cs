using Kptr.Diagnostics;

namespace Kptr.Btf;

/// <summary>
/// Which types own which, by graph roots and local kptrs. Dropping an object recurses along these edges, so they must
/// form no cycle and no long chain.
/// </summary>
internal sealed class OwnershipGraph(SortedDictionary<int, BtfRecord> records, BtfRecordRules rules)
{
    private readonly Dictionary<int, int> _depths = [];

    /// <summary>Checks every type and gives each root and local kptr the record of what it owns.</summary>
    /// <exception cref="BtfRecordFault">A cycle, a chain that is too long, or a root whose node
    /// has no record.</exception>
    internal void ResolveInto(Dictionary<int, BtfRecord> resolved)
    {
        foreach (var (_, record) in records)
        {
            CheckNodes(record);
        }

        foreach (var id in records.Keys)
        {
            if (rules.OwnershipDepthMax is { } max)
            {
                Depth(id, max);
            }
        }

        foreach (var id in records.Keys)
        {
            Resolve(id, resolved);
        }
    }

    private void CheckNodes(BtfRecord record)
    {
        foreach (var f in record.Fields.Where(f => (f.Kind & BtfFieldKind.GraphRoot) != 0))
        {
            if (!records.TryGetValue(f.NodeType.Id, out var node))
            {
                throw new BtfRecordFault(Errno.EFAULT, $"'{f.Name}': struct {f.NodeType.Name} has no record");
            }

            if (rules.OwnershipDepthMax is null && record.Has(BtfFieldKind.GraphNode)
                && node.Has(BtfFieldKind.GraphRoot))
            {
                throw new BtfRecordFault(Errno.ELOOP, $"'{f.Name}': a node with a root owns a type with a root");
            }
        }
    }

    private int Depth(int id, int left)
    {
        if (left == 0)
        {
            throw TooDeep(id);
        }

        if (!_depths.TryGetValue(id, out var depth))
        {
            depth = 1;
            foreach (var owned in Owned(records[id]))
            {
                depth = Math.Max(depth, 1 + Depth(owned, left - 1));
            }

            _depths[id] = depth;
        }

        return depth <= left ? depth : throw TooDeep(id);
    }

    private BtfRecord Resolve(int id, Dictionary<int, BtfRecord> resolved)
    {
        if (!resolved.TryGetValue(id, out var record))
        {
            record = new([.. records[id].Fields.Select(f =>
                OwnedType(f) is { } owned ? f with { Inner = Resolve(owned, resolved) } : f)]);
            resolved[id] = record;
        }

        return record;
    }

    private IEnumerable<int> Owned(BtfRecord record) => record.Fields.Select(OwnedType).OfType<int>();

    private int? OwnedType(BtfField f)
    {
        var id = (f.Kind & BtfFieldKind.GraphRoot) != 0 ? f.NodeType.Id
            : f.IsLocalPointee && f.Kind is BtfFieldKind.KptrRef or BtfFieldKind.KptrPercpu ? f.Pointee.Id
            : 0;
        return records.ContainsKey(id) ? id : null;
    }

    private BtfRecordFault TooDeep(int id) =>
        new(Errno.ELOOP, $"types own each other in a cycle or too deep ({records[id].Fields[0].Name})");
}
