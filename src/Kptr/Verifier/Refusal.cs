using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Verifier;

/// <summary>Refuses a program where no path is explored: for its shape, its calls, what it is attached to.</summary>
internal static class Refusal
{
    [DoesNotReturn]
    public static void At(int insnIdx, DiagCode code, string message, Errno errno = Errno.EINVAL) =>
        throw new RejectException(new Diagnostic(code, message) { InsnIdx = insnIdx }, errno);
}
