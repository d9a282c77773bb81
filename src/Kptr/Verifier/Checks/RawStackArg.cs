namespace Kptr.Verifier;

/// <summary>Memory that a helper fills, which may be uninitialised before (<c>raw_mode</c> of its call).</summary>
internal sealed class RawStackArg
{
    /// <summary>Whether the memory need not be initialised.</summary>
    public bool RawMode;

    /// <summary>The register that points to it; 0 until found.</summary>
    public int Regno;
    public int AccessSize;

    /// <summary>Upper bound of the size argument, for the helper's return value.</summary>
    public ulong SizeMax;
}
