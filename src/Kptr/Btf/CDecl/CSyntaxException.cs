using Kptr.Diagnostics;

namespace Kptr.Btf.CDecl;

/// <summary>Carries one fault out of the recursive descent; never leaves <see cref="CDeclParser"/>.</summary>
internal sealed class CSyntaxException(DiagCode code, CToken at, string message) : Exception(message)
{
    internal DiagCode Code { get; } = code;

    internal CToken At { get; } = at;
}
