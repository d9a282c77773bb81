namespace Kptr.Execution;

/// <summary>How much of its context a program's code reads without asking.</summary>
/// <param name="knownBytes">How long the context of a run is that the code is made for.</param>
internal sealed class ContextUse(ulong knownBytes)
{
    /// <summary>How long the context of every run must be that uses the code.</summary>
    internal ulong NeededBytes { get; private set; }

    /// <summary>Whether so many bytes are there; they are needed from then on.</summary>
    internal bool Covers(ulong bytes)
    {
        if (bytes > knownBytes)
        {
            return false;
        }

        NeededBytes = Math.Max(NeededBytes, bytes);
        return true;
    }
}
