using System.Collections.Immutable;
using Kptr.Verifier;

namespace Kptr;

/// <summary>The verifier refused programs of an object, so none of it was loaded.</summary>
/// <remarks>The message has each program's <see cref="VerifyResult.Explanation"/>.</remarks>
public sealed class ProgramRejectedException : Exception
{
    internal ProgramRejectedException(string objectName, ImmutableArray<(string Name, VerifyResult Result)> refused)
        : base(string.Join(Environment.NewLine, refused.Select(r => $"{objectName}: program \"{r.Name}\": "
            + r.Result.Explanation.ReplaceLineEndings(Environment.NewLine + "    "))))
    {
        Refused = refused;
    }

    /// <summary>The programs and why each was refused; at least one.</summary>
    public ImmutableArray<(string Name, VerifyResult Result)> Refused { get; }
}
