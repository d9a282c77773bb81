using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Soundness;

/// <summary>A program that the verifier accepts, and what it believed of the registers.</summary>
/// <param name="Verified">The program.</param>
/// <param name="Beliefs">The beliefs; null where a verification that records them does not end in time.</param>
internal sealed record AcceptedProgram(VerifiedProgram Verified, RegBeliefs? Beliefs)
{
    /// <summary>Instructions that a verification which records beliefs may process.</summary>
    private const int InsnsMax = 100_000;

    /// <summary>
    /// Judges a program in one short verification that records beliefs; null where that does not accept it.
    /// </summary>
    internal static AcceptedProgram? TryMakeShort(ProgSpec linked, KernelSpec kernel, int insnsMax)
    {
        var beliefs = new RegBeliefs();
        var result = BpfVerifier.Verify(linked, kernel, new() { Beliefs = beliefs, InsnsMax = insnsMax });
        return result.Program is { } verified ? new(verified, beliefs) : null;
    }

    /// <summary>Judges a program; null where it is refused, or the caller cancels.</summary>
    internal static AcceptedProgram? TryMake(
        ProgSpec linked, KernelSpec kernel, CancellationToken cancellation = default)
    {
        try
        {
            var beliefs = new RegBeliefs();
            return Verify(new() { Beliefs = beliefs, InsnsMax = InsnsMax }) is { } believing ? new(believing, beliefs)
                : Verify(new()) is { } verified ? new(verified, null)
                : null;
        }
        catch (OperationCanceledException)
        {
            return null;
        }

        VerifiedProgram? Verify(VerifyOptions options) =>
            BpfVerifier.Verify(linked, kernel, options with { Cancellation = cancellation }).Program;
    }
}
