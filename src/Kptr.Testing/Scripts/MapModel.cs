namespace Kptr.Testing.Scripts;

/// <summary>The plain dictionary that a map is compared with, and what its kptrs should come to.</summary>
internal sealed class MapModel(int fieldCount)
{
    /// <summary>A field that owns nothing.</summary>
    internal const int Nothing = -1;

    /// <summary>A field that may own whatever rode along on recycled memory.</summary>
    internal const int Unknown = -2;

    /// <summary>The elements by number of their key.</summary>
    internal SortedDictionary<int, Entry> Live { get; } = [];

    /// <summary>References on each object that the map was given and has not handed out again.</summary>
    internal int[] Owned { get; } = new int[MapShape.ObjectsOfAllKinds];

    /// <summary>Objects that elements lost by being written over, since everything deferred last ran.</summary>
    internal HashSet<int> Overwritten { get; } = [];

    /// <summary>Objects that elements lost by being deleted or evicted, since everything deferred last ran.</summary>
    internal HashSet<int> Deleted { get; } = [];

    /// <summary>Elements that went since everything deferred last ran.</summary>
    internal int Leaving { get; set; }

    internal Entry Insert(int key, ulong value, int held)
    {
        var entry = new Entry { Value = value, Held = new int[fieldCount] };
        Array.Fill(entry.Held, held);
        Live.Add(key, entry);
        return entry;
    }

    /// <summary>References on an object that live elements are known to have.</summary>
    internal int Known(int obj) => Live.Values.Sum(e => e.Held.Count(h => h == obj));

    internal sealed class Entry
    {
        internal ulong Value { get; set; }

        internal int[] Held { get; init; } = [];
    }
}
