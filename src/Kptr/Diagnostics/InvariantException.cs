namespace Kptr.Diagnostics;

/// <summary>A bug in Kptr itself. Please report it with the input that led here.</summary>
public sealed class InvariantException : Exception
{
    /// <summary>Says which belief of ours was wrong.</summary>
    public InvariantException(string what)
        : base($"Kptr is wrong about itself: {what}")
    {
    }
}
