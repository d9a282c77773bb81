using Microsoft.CodeAnalysis;

namespace Kptr.Generators;

/// <summary>A method with kfunc or helper attributes, as text: equal where the generated code is equal.</summary>
/// <param name="Class">The declaring class, fully qualified.</param>
/// <param name="Rows">The constructed attributes (kfuncs) or numbers (helpers), one for each name it has.</param>
/// <param name="Body">The lambda that calls it with registers.</param>
/// <param name="Fault">Why it cannot be called so, or null.</param>
internal sealed record DeclaredMethod(string Class, EquatableList<string> Rows, string Body, Fault? Fault);

/// <summary>One diagnostic, without the syntax it was found in.</summary>
internal sealed record Fault(DiagnosticDescriptor Rule, EquatableList<string> Arguments, Place Place)
{
    internal Diagnostic ToDiagnostic() => Diagnostic.Create(Rule, Place.ToLocation(), [.. Arguments]);
}
