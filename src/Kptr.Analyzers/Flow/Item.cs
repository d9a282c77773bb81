using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers.Flow;

internal enum Status
{
    /// <summary>An object that is opened and not loaded: it owns nothing.</summary>
    Idle,

    /// <summary>Somebody else's: it may be used up here, and need not be.</summary>
    Borrowed,

    /// <summary>This code's to give back.</summary>
    Owned,

    /// <summary>There was none.</summary>
    Null,

    /// <summary>Released, moved, handed over, returned; of a look: its reader has ended.</summary>
    Spent,

    /// <summary>Stored or passed where this code cannot follow it.</summary>
    Escaped,
}

/// <summary>What one path knows of a resource.</summary>
internal readonly record struct Item(Status Status)
{
    /// <summary>Whether it is known to be there.</summary>
    internal bool IsNonNull { get; init; }

    /// <summary>
    /// Whether it met another path, here where this one has spent it and that one owns it or the other way round.
    /// </summary>
    internal bool IsMixed { get; init; }

    /// <summary>Whether a condition was asked since: it may be one that tells the two paths apart.</summary>
    internal bool IsGuarded { get; init; }

    internal Spending? How { get; init; }

    internal bool IsLive => Status is Status.Owned or Status.Borrowed or Status.Idle;

    // How it was spent is for messages: paths that differ in nothing else go on as one.
    internal bool SameAs(Item other) => Status == other.Status && IsNonNull == other.IsNonNull
        && IsMixed == other.IsMixed && IsGuarded == other.IsGuarded;
}

/// <summary>How something was spent: <c>released</c>, and through which variable.</summary>
internal sealed record Spending(string Verb, int Line, ISymbol? Through);
