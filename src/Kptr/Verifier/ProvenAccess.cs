using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>Where an instruction loads or stores, on all paths to it.</summary>
internal enum AccessPlace
{
    /// <summary>No path reaches it.</summary>
    Unseen,

    /// <summary>Different places, or one that nothing is said about.</summary>
    Anywhere,

    /// <summary>The stack of the function that it is in.</summary>
    OwnFrame,

    /// <summary>The context that the program was given.</summary>
    Context,

    /// <summary>A value of one of the program's own maps.</summary>
    MapValue,
}

/// <summary>What is known of one load or store: its place, and the bytes there that it may touch.</summary>
/// <param name="Place">Where.</param>
/// <param name="Low">The lowest byte that it touches, from the frame pointer or the place's start.</param>
/// <param name="End">The byte behind the highest.</param>
/// <param name="Map">The map; null for other places.</param>
internal readonly record struct ProvenAccess(AccessPlace Place, long Low = 0, long End = 0, MapSpec? Map = null)
{
    /// <summary>What is known of both.</summary>
    /// <remarks>Commutes; <see cref="AccessPlace.Unseen"/> changes nothing, <see cref="AccessPlace.Anywhere"/>
    /// stays.</remarks>
    internal ProvenAccess Join(in ProvenAccess other) =>
        Place == AccessPlace.Unseen ? other
        : other.Place == AccessPlace.Unseen ? this
        : Place == other.Place && Place != AccessPlace.Anywhere && ReferenceEquals(Map, other.Map)
            ? this with { Low = Math.Min(Low, other.Low), End = Math.Max(End, other.End) }
        : new(AccessPlace.Anywhere);
}
