using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Programs;

/// <summary>What can be seen of a kernel after a step.</summary>
/// <param name="Result">What came of the step.</param>
/// <param name="Contents">What user space sees of the maps: "map, key" to the value's bytes.</param>
/// <param name="Kept">Which live elements hold what: "map, key, field" to the object.</param>
/// <param name="Recycled">What memory of maps holds that no key leads to: "map, field" to the objects.</param>
internal sealed record Moment(
    string Result, ImmutableSortedDictionary<string, string> Contents, ImmutableSortedDictionary<string, string> Kept,
    ImmutableSortedDictionary<string, string> Recycled)
{
    private const int KeysMax = 256;
    private const int ValueBytesMax = 1 << 16;
    private const int Shown = 32;

    internal static Moment Of(BpfObject obj, LedgerSnapshot snapshot, string result)
    {
        var contents = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var map in obj.Maps.Values.Where(m => m.KeySize > 0 && m.ValueSize <= ValueBytesMax && !m.IsFrozen))
        {
            Read(map, contents);
        }

        var held = snapshot.Entries.Where(e => e.Holder is MapHolder or RecycledHolder or CollectionHolder)
            .ToLookup(e => e.Holder.IsRecycled);
        return new(result, contents.ToImmutable(), ByHolder(held[false]), ByHolder(held[true]));
    }

    /// <summary>How two kernels differ in what programs and user space see; null where they do not.</summary>
    internal static string? Difference(Moment first, string firstName, Moment second, string secondName) =>
        first.Result != second.Result
            ? $"{first.Result} under {firstName}, {second.Result} under {secondName}"
            : Difference(first.Contents, firstName, second.Contents, secondName);

    /// <summary>How they differ in what live elements hold; null where they do not.</summary>
    internal static string? DifferenceOfKept(Moment first, string firstName, Moment second, string secondName) =>
        Difference(first.Kept, firstName, second.Kept, secondName);

    private static ImmutableSortedDictionary<string, string> ByHolder(IEnumerable<LedgerEntry> entries) => entries
        .GroupBy(e => e.Holder.ToString()!, e => CallNames.WithoutAddresses(e.Object))
        .ToImmutableSortedDictionary(
            g => g.Key, g => string.Join(", ", g.Order(StringComparer.Ordinal)), StringComparer.Ordinal);

    private static string? Difference(
        ImmutableSortedDictionary<string, string> first, string firstName,
        ImmutableSortedDictionary<string, string> second, string secondName)
    {
        foreach (var place in first.Keys.Union(second.Keys).Order(StringComparer.Ordinal))
        {
            var (one, other) = (first.GetValueOrDefault(place), second.GetValueOrDefault(place));
            if (one != other)
            {
                return $"{place} has {Text(one)} under {firstName}, {Text(other)} under {secondName}";
            }
        }

        return null;
    }

    private static string Text(string? what) =>
        what is null ? "nothing" : what.Length <= 2 * Shown ? what : what[..(2 * Shown)] + "...";

    private static void Read(BpfMap map, ImmutableSortedDictionary<string, string>.Builder contents)
    {
        if (map.Type is BpfMapType.StructOps or BpfMapType.Arena)
        {
            return;
        }

        var key = new byte[map.KeySize];
        var value = new byte[map.UserValueSize];
        var hasBefore = false;
        for (var i = 0; i < KeysMax; i++)
        {
            var next = new byte[map.KeySize];
            if (map.GetNextKey(hasBefore ? key : [], next) != Errno.None)
            {
                break;
            }

            (key, hasBefore) = (next, true);
            if (map.LookupElem(key, value) == Errno.None)
            {
                contents[$"map \"{map.Name}\", key {Convert.ToHexStringLower(key)}"] =
                    Convert.ToHexStringLower(value);
            }
        }
    }
}
