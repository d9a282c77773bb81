namespace Kptr.Objects;

/// <summary>What kind of place a <see cref="HolderKey"/> names.</summary>
internal enum HolderKind
{
    CSharp,
    Run,
    Slot,
    Collection,
}

/// <summary>
/// A holder in the form the ledger keeps; turned into a <see cref="Holder"/> only when somebody asks.
/// </summary>
/// <param name="Kind">What the rest means.</param>
/// <param name="Who">The run; the word for the collection; null for slots and C#.</param>
/// <param name="Where">Address of the slot or of the collection's root.</param>
internal readonly record struct HolderKey(HolderKind Kind, object? Who, ulong Where)
{
    internal static HolderKey CSharp => new(HolderKind.CSharp, null, 0);

    internal static HolderKey Run(IProgramRun run)
    {
        run.Keep();
        return new(HolderKind.Run, run, 0);
    }

    internal static HolderKey Slot(ulong address) => new(HolderKind.Slot, null, address);

    internal static HolderKey Collection(string word, ulong root) => new(HolderKind.Collection, word, root);
}
