using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>
/// Judges programs as Linux's verifier does. Has no state: any number of verifications may run in parallel.
/// </summary>
public static class BpfVerifier
{
    /// <summary>Judges one linked program.</summary>
    /// <param name="linked">A program without open relocations.</param>
    /// <param name="kernel">The kernel it is to be loaded into.</param>
    /// <param name="options">How; null for the defaults.</param>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    /// <exception cref="InvariantException">A bug in Kptr: no verdict.</exception>
    public static VerifyResult Verify(ProgSpec linked, KernelSpec kernel, VerifyOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(linked);
        ArgumentNullException.ThrowIfNull(kernel);
        if (!linked.Relocs.IsEmpty || !linked.CoReRelocs.IsEmpty)
        {
            throw new ArgumentException("the program is not linked", nameof(linked));
        }

        return new VerifierRun(linked, kernel, options ?? VerifyOptions.Default).Verify();
    }
}
