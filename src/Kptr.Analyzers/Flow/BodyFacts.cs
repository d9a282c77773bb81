using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

/// <summary>What one look over a member says of its functions, before any graph is made.</summary>
internal sealed class BodyFacts
{
    private readonly KnownTypes _known;
    private readonly ISymbol _owner;
    private readonly HashSet<ISymbol> _relevant = new(SymbolEqualityComparer.Default);
    private readonly HashSet<ISymbol> _reading = new(SymbolEqualityComparer.Default);
    private readonly HashSet<ISymbol> _making = new(SymbolEqualityComparer.Default);

    private BodyFacts(KnownTypes known, ISymbol owner)
    {
        _known = known;
        _owner = owner;
    }

    /// <summary>Variables that nested functions or references share: what happens to them is not seen.</summary>
    internal HashSet<ISymbol> Shared { get; } = new(SymbolEqualityComparer.Default);

    internal bool IsAnythingRelevant => _relevant.Count > 0;

    internal bool IsRelevant(ISymbol function) => _relevant.Contains(function);

    /// <summary>Whether the function opens readers itself.</summary>
    internal bool Reads(ISymbol function) => _reading.Contains(function);

    /// <summary>Whether the function makes a kernel, of which nobody else can be a reader.</summary>
    internal bool MakesKernel(ISymbol function) => _making.Contains(function);

    internal static BodyFacts Of(KnownTypes known, ISymbol owner, IOperation root)
    {
        var facts = new BodyFacts(known, owner);
        if (owner is IMethodSymbol method && method.Parameters.Any(p => known.IsReference(p.Type)))
        {
            facts._relevant.Add(owner);
        }

        var open = new Stack<(IOperation Operation, ISymbol Function)>();
        open.Push((root, owner));
        while (open.Count > 0)
        {
            var (operation, function) = open.Pop();
            function = operation switch
            {
                IAnonymousFunctionOperation lambda => lambda.Symbol,
                ILocalFunctionOperation local => local.Symbol,
                _ => function,
            };
            facts.Look(operation, function);
            foreach (var child in operation.ChildOperations)
            {
                open.Push((child, function));
            }
        }

        return facts;
    }

    private void Look(IOperation operation, ISymbol function)
    {
        switch (operation)
        {
            case ILocalReferenceOperation local:
                NoteShared(local.Local, local.Local.ContainingSymbol, function, operation);
                break;
            case IParameterReferenceOperation parameter:
                NoteShared(parameter.Parameter, parameter.Parameter.ContainingSymbol, function, operation);
                break;
            case IInvocationOperation call:
                LookAtCall(call, function);
                break;
            case IObjectCreationOperation { Type: INamedTypeSymbol type } when IsKernel(type):
                _relevant.Add(function);
                _making.Add(function);
                break;
        }
    }

    private bool IsKernel(INamedTypeSymbol type) =>
        _known.IsOfLibrary(type) && KnownTypes.Inherits(type, _known.KernelCore);

    private void LookAtCall(IInvocationOperation call, ISymbol function)
    {
        var method = call.TargetMethod;
        if (_known.IsReference(call.Type)
            || (_known.IsOfLibrary(method)
                && method.Name is "Release" or "Dispose" or "Peek" or "Lookup" or "LookupOrInit" or "LookupSpan"
                    or "ReadLock" or "EnterProgram" or "Load" or "Attach" or "AttachTo"))
        {
            _relevant.Add(function);
        }

        if (method.Name == "ReadLock" && KnownTypes.Is(method.ContainingType, _known.RcuDomain))
        {
            _reading.Add(function);
        }
    }

    // What the outermost function mentions is its own: an indexer's parameters are declared elsewhere too.
    private void NoteShared(ISymbol variable, ISymbol declaring, ISymbol function, IOperation reference)
    {
        var isNested = !SymbolEqualityComparer.Default.Equals(function, _owner);
        var isOwn = SymbolEqualityComparer.Default.Equals(declaring, function);
        if ((isNested && !isOwn) || (!isOwn && IsOfPrimaryConstructor(declaring)) || IsMadeRef(reference))
        {
            Shared.Add(variable);
        }
    }

    // Mentioned in a member, the parameter of a primary constructor is a field.
    private static bool IsOfPrimaryConstructor(ISymbol declaring) =>
        declaring is IMethodSymbol { MethodKind: MethodKind.Constructor };

    private static bool IsMadeRef(IOperation reference) => reference.Parent switch
    {
        IAddressOfOperation => true,
        ISimpleAssignmentOperation { IsRef: true } assignment => assignment.Value == reference,
        IVariableInitializerOperation { Parent: IVariableDeclaratorOperation { Symbol.IsRef: true } } => true,
        IConditionalOperation { IsRef: true } => true,
        _ => false,
    };
}
