using System.Diagnostics.CodeAnalysis;

namespace Kptr.Diagnostics;

/// <summary>Checks of our own reasoning. On in Release too: a bug of ours is an exception, never a verdict.</summary>
internal static class Invariant
{
    /// <summary>Throws <see cref="InvariantException"/> unless <paramref name="holds"/>.</summary>
    public static void That([DoesNotReturnIf(false)] bool holds, string what)
    {
        if (!holds)
        {
            Fail(what);
        }
    }

    /// <summary>Reports a state that cannot be.</summary>
    /// <exception cref="InvariantException">Always.</exception>
    [DoesNotReturn]
    public static void Fail(string what) => throw new InvariantException(what);
}
