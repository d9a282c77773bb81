using System.Collections.Concurrent;
using System.Globalization;

namespace Kptr.Btf;

/// <summary>Where a member of a struct lies.</summary>
/// <param name="OffsetBytes">From the start of the struct.</param>
/// <param name="SizeBytes">Its size.</param>
internal readonly record struct BtfPlace(int OffsetBytes, int SizeBytes);

/// <summary>Where a bit-field lies.</summary>
/// <param name="OffsetBits">From the start of the struct.</param>
/// <param name="SizeBits">Its size.</param>
internal readonly record struct BtfBits(int OffsetBits, int SizeBits);

/// <summary>Members of members, by their path.</summary>
public sealed partial class BtfSpec
{
    private const int KnownPathsMax = 4096;

    // Each kernel asks for the same hundred paths: to look for them took a third of its making.
    private readonly ConcurrentDictionary<(int TypeId, string Path), BtfPlace?> _knownPaths = new();

    /// <summary>Where the member with this path lies, such as <c>ns.inum</c> or <c>nodes[1].next</c>.</summary>
    /// <returns>Null where there is none.</returns>
    internal BtfPlace? FindPath(int typeId, string path)
    {
        if (_knownPaths.TryGetValue((typeId, path), out var known))
        {
            return known;
        }

        var found = FindPathSlow(this[typeId], path);
        if (_knownPaths.Count < KnownPathsMax)
        {
            _knownPaths[(typeId, path)] = found;
        }

        return found;
    }

    /// <summary>Where the bit-field with this path lies, such as <c>inet_conn.icsk_ca_state</c>.</summary>
    /// <returns>Null where there is none, or it is no bit-field.</returns>
    internal BtfBits? FindBits(int typeId, string path)
    {
        var dot = path.LastIndexOf('.');
        var (owner, at) = (this[typeId], 0);
        if (dot > 0)
        {
            foreach (var part in path[..dot].Split('.'))
            {
                if (FindMember(owner.SkipModifiers(), part) is not { } found)
                {
                    return null;
                }

                (owner, at) = (found.Type, at + found.OffsetBytes);
            }
        }

        return FindBitsIn(owner.SkipModifiers(), path[(dot + 1)..]) is { } bits
            ? bits with { OffsetBits = bits.OffsetBits + (at * 8) } : null;
    }

    private static BtfBits? FindBitsIn(BtfType owner, string name)
    {
        for (var i = 0; owner.IsComposite && i < owner.VLen; i++)
        {
            var member = owner.Member(i);
            if (member.Name == name && member.BitfieldSizeBits != 0)
            {
                return new(member.BitOffset, member.BitfieldSizeBits);
            }

            if (member.Name.Length == 0
                && FindBitsIn(owner.Btf[member.TypeId].SkipModifiers(), name) is { } inner)
            {
                return inner with { OffsetBits = inner.OffsetBits + member.BitOffset };
            }
        }

        return null;
    }

    private static BtfPlace? FindPathSlow(BtfType type, string path)
    {
        var offset = 0;
        foreach (var part in path.Split('.'))
        {
            var bracket = part.IndexOf('[', StringComparison.Ordinal);
            if (FindMember(type.SkipModifiers(), bracket < 0 ? part : part[..bracket]) is not { } found)
            {
                return null;
            }

            offset += found.OffsetBytes;
            type = found.Type;
            if (bracket >= 0)
            {
                if (!part.EndsWith(']')
                    || !int.TryParse(part.AsSpan(bracket + 1, part.Length - bracket - 2), NumberStyles.None,
                        CultureInfo.InvariantCulture, out var index)
                    || ElementOf(type.SkipModifiers(), index) is not { } element
                    || offset + ((long)index * element.Btf.ResolveSize(element.Id)) is var at && at > int.MaxValue)
                {
                    return null;
                }

                type = element;
                offset = (int)at;
            }
        }

        return new(offset, type.Btf.ResolveSize(type.Id));
    }

    // A flexible array at the end of a struct has count 0; whoever makes the object made room for it.
    private static BtfType? ElementOf(BtfType array, int index) =>
        array.Kind == BtfKind.Array
        && (array.Array.Count == 0 || index < array.Array.Count) ? array.Btf[array.Array.ElemTypeId] : null;

    private static (int OffsetBytes, BtfType Type)? FindMember(BtfType owner, string name)
    {
        if (!owner.IsComposite)
        {
            return null;
        }

        for (var i = 0; i < owner.VLen; i++)
        {
            var member = owner.Member(i);
            var type = owner.Btf[member.TypeId];
            if (member.Name == name && member.BitfieldSizeBits == 0)
            {
                return (member.OffsetBytes, type);
            }

            if (member.Name.Length == 0 && FindMember(type.SkipModifiers(), name) is { } inner)
            {
                return (member.OffsetBytes + inner.OffsetBytes, inner.Type);
            }
        }

        return null;
    }
}
