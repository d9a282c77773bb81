namespace Kptr.Analyzers.Kfuncs;

/// <summary>What a C prototype says, as far as kfuncs need it.</summary>
internal sealed record Prototype(string Name, bool ReturnsVoid, bool ReturnsPointer, int ParamCount, bool IsVariadic)
{
    /// <summary>Whether the first parameter is a pointer.</summary>
    internal bool TakesPointer { get; init; }
}
