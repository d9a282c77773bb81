using System.Diagnostics;

namespace Kptr.Objects;

/// <summary>
/// Finds the line of the user's code that a fault is about, where nobody handed it in: property reads, <c>Dispose</c>.
/// </summary>
/// <remarks>Walks the stack, so it is asked only once a fault is certain.</remarks>
internal static class CallSite
{
    /// <summary>
    /// The innermost caller outside Kptr and the framework; its method where the file is unknown, and
    /// <see cref="RefSite.Unknown"/> where there is no such caller (deferred work on a thread of ours).
    /// </summary>
    internal static RefSite Find()
    {
        foreach (var frame in new StackTrace(fNeedFileInfo: true).GetFrames())
        {
            if (DiagnosticMethodInfo.Create(frame) is { } method && IsUsers(method.DeclaringAssemblyName))
            {
                return frame.GetFileName() is { Length: > 0 } file
                    ? new(file, frame.GetFileLineNumber())
                    : new($"{method.DeclaringTypeName}.{method.Name}", 0);
            }
        }

        return RefSite.Unknown;
    }

    private static bool IsUsers(string? assembly) =>
        assembly is not null
        && !assembly.StartsWith("Kptr,", StringComparison.Ordinal)
        && !assembly.StartsWith("System.", StringComparison.Ordinal);
}
