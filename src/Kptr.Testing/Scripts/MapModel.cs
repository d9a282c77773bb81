namespace Kptr.Testing.Scripts;

/// <summary>The plain dictionary that a map is compared with, and what its kptrs should come to.</summary>
internal sealed class MapModel(int placeCount, int fieldCount)
{
    /// <summary>A field that owns nothing.</summary>
    internal const int Nothing = -1;

    /// <summary>A field that may own whatever rode along on recycled memory.</summary>
    internal const int Unknown = -2;

    /// <summary>The elements by number of their key.</summary>
    internal SortedDictionary<int, Entry> Live { get; } = [];

    /// <summary>References on each object that the map was given and has not handed out again.</summary>
    internal int[] Owned { get; } = new int[MapShape.ObjectsOfAllKinds];

    /// <summary>References on each object that were stored and not taken out again: they die in the map.</summary>
    internal int[] Kept { get; } = new int[MapShape.ObjectsOfAllKinds];

    /// <summary>Objects that elements lost by being written over, since everything deferred last ran.</summary>
    internal HashSet<int> Overwritten { get; } = [];

    /// <summary>Objects that elements lost by being deleted or evicted, since everything deferred last ran.</summary>
    internal HashSet<int> Deleted { get; } = [];

    /// <summary>Elements that went since everything deferred last ran.</summary>
    internal int Leaving { get; set; }

    /// <summary>A new element, all of whose values are zero.</summary>
    internal Entry Insert(int key, int held)
    {
        var entry = new Entry { Values = new ulong[placeCount], Held = new int[placeCount][] };
        for (var place = 0; place < placeCount; place++)
        {
            entry.Held[place] = new int[fieldCount];
            Array.Fill(entry.Held[place], held);
        }

        Live.Add(key, entry);
        return entry;
    }

    /// <summary>The key whose value a look-up of a key finds: itself, or the longest prefix; -1 for none.</summary>
    internal int LeadsTo(MapShape shape, int number)
    {
        if (Live.ContainsKey(number) || !shape.IsTrie)
        {
            return Live.ContainsKey(number) ? number : -1;
        }

        return Longest(shape, shape.Key(number));
    }

    /// <summary>The longest prefix that contains a key; -1 for none.</summary>
    internal int Longest(MapShape shape, byte[] key) => Live.Keys
        .Where(k => Prefixes.Contains(shape.Key(k), key))
        .OrderByDescending(k => BitConverter.ToInt32(shape.Key(k))).FirstOrDefault(-1);

    /// <summary>References on an object that live elements are known to have.</summary>
    internal int Known(int obj) => Live.Values.Sum(e => e.Held.Sum(of => of.Count(h => h == obj)));

    internal sealed class Entry
    {
        /// <summary>What each value is made from.</summary>
        internal ulong[] Values { get; init; } = [];

        /// <summary>What the kptrs of each value hold.</summary>
        internal int[][] Held { get; init; } = [];
    }
}
