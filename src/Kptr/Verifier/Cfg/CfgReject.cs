using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;

namespace Kptr.Verifier.Cfg;

/// <summary>Refuses a program for its shape.</summary>
internal static class CfgReject
{
    [DoesNotReturn]
    public static void At(int insnIdx, DiagCode code, string message, Errno errno = Errno.EINVAL) =>
        throw new RejectException(new Diagnostic(code, message) { InsnIdx = insnIdx }, errno);
}
