using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

// Calls: what they make, take, spend and look at.
internal sealed partial class Evaluator
{
    private int Call(IInvocationOperation call, PathState state)
    {
        var method = call.TargetMethod;
        var receiver = Evaluate(call.Instance, state);
        var first = Arguments(call.Arguments, method, state);
        var facts = MethodFacts.Of(body.Known, method);
        if (!facts.Returns)
        {
            state.IsDead = true;
            return PathState.Unknown;
        }

        if (Values.IsNullableValue(call))
        {
            return receiver;
        }

        if (method.Name is "Dispose" or "DisposeAsync" or "Release" && IsEnd(call, receiver))
        {
            Spend(receiver, "released", call, Values.Variable(call.Instance, state), state);
            return PathState.Unknown;
        }

        if (call.Instance is not null)
        {
            UseLook(receiver, call, state);
            Use(receiver, method, call, state);
        }

        return body.Known.IsOfLibrary(method) ? LibraryCall(call, method, receiver, first, state)
            : facts.Gives ? Make(call, ResourceKind.Reference, state)
            : PathState.Unknown;
    }

    private bool IsEnd(IInvocationOperation call, int receiver) =>
        call.TargetMethod.Name == "Release"
            ? body.Known.IsReference(call.TargetMethod.ContainingType)
            : call.Arguments.Length == 0 && receiver >= 0 && body[receiver].Kind != ResourceKind.Look;

    private int LibraryCall(IInvocationOperation call, IMethodSymbol method, int receiver, int first, PathState state)
    {
        var type = method.ContainingType;
        var known = body.Known;
        if (MethodFacts.Of(known, method).Gives)
        {
            if (method.IsExtensionMethod || call.Instance is null)
            {
                UseLook(first, call, state);
            }

            return Make(call, ResourceKind.Reference, state,
                isFromExchange: method.Name == "Exchange" && KnownTypes.Is(type, known.Slot));
        }

        switch (method.Name)
        {
            case "Peek" when KnownTypes.Is(type, known.Slot):
                return Look(call, "the object that Peek found", state);
            case "Lookup" or "LookupOrInit" when method.RefKind == RefKind.Ref && CanDelete(call):
                return Look(call, "the value that " + method.Name + " found", state);
            case "LookupSpan" when CanDelete(call):
                return Look(call, "the bytes that LookupSpan found", state);
            case "ReadLock" when KnownTypes.Is(type, known.RcuDomain):
                return Make(call, ResourceKind.Reader, state, what: "reader");
            case "EnterProgram" when KnownTypes.Is(method.ReturnType, known.ProgramScope):
                return Make(call, ResourceKind.Scope, state, what: "program scope");
            case "Open" or "From" when KnownTypes.Is(type, known.BpfObject):
                return Make(call, ResourceKind.Owner, state, Status.Idle, "object");
            case "Load" when KnownTypes.Is(type, known.BpfObject):
                return Load(call, receiver, state);
            case "Attach" or "AttachTo" when KnownTypes.Is(method.ReturnType, known.BpfLink):
                return Make(call, ResourceKind.Owner, state, what: "link");
            default:
                return PathState.Unknown;
        }
    }

    // An opened object owns nothing; what it owns from now on, whoever holds it must give back.
    private int Load(IInvocationOperation call, int receiver, PathState state)
    {
        if (receiver < 0 || !state.Items.TryGetValue(receiver, out var item) || item.Status != Status.Idle)
        {
            return receiver;
        }

        var loaded = Make(call, ResourceKind.Owner, state, what: "loaded object");
        body[loaded].Name ??= body[receiver].Name;
        body[loaded].IsObject = true;
        state.Rename(receiver, loaded);
        return loaded;
    }

    private int Create(IObjectCreationOperation creation, PathState state)
    {
        if (body.Known.IsReference(creation.Type) && creation.Arguments.Length == 0)
        {
            return PathState.Null;
        }

        Arguments(creation.Arguments, creation.Constructor, state);
        Escape(Evaluate(creation.Initializer, state), state);
        return creation.Type is INamedTypeSymbol type && body.Known.IsOfLibrary(type)
            && KnownTypes.Inherits(type, body.Known.KernelCore)
            ? Make(creation, ResourceKind.Owner, state, what: "kernel") : PathState.Unknown;
    }

    private int Property(IPropertyReferenceOperation property, PathState state)
    {
        var receiver = Evaluate(property.Instance, state);
        Arguments(property.Arguments, null, state);
        if (Values.IsNullableValue(property))
        {
            return receiver;
        }

        UseLook(receiver, property, state);
        if (property.Property.Name == "Target" && body.Known.IsReference(property.Property.ContainingType))
        {
            CheckUse(receiver, property, Values.Variable(property.Instance, state), state);
        }

        return PathState.Unknown;
    }

    /// <summary>Evaluates arguments and hands them over; returns what the first one holds.</summary>
    private int Arguments(
        IEnumerable<IArgumentOperation> arguments, IMethodSymbol? method, PathState state)
    {
        var (first, handed) = (PathState.Unknown, new List<(IArgumentOperation Argument, int Value)>());
        foreach (var argument in arguments)
        {
            handed.Add((argument, Evaluate(argument.Value, state)));
        }

        foreach (var (argument, value) in handed)
        {
            first = argument.Parameter?.Ordinal == 0 ? value : first;
            HandOver(argument, value, method, state);
        }

        return first;
    }

    private void HandOver(IArgumentOperation argument, int value, IMethodSymbol? method, PathState state)
    {
        switch (argument.Parameter)
        {
            case { RefKind: RefKind.Ref or RefKind.Out }:
                ForgetTargets(argument.Value, state);
                break;
            case { RefKind: not RefKind.None }:
                break;
            case { } when value < 0:
                break;
            case { } parameter when method is not null
                && MethodFacts.Of(body.Known, method).Takes.Contains(parameter.Ordinal):
                Spend(
                    value, method.Name == "Exchange" ? "moved into a slot" : $"handed to '{method.Name}'",
                    argument.Value, Values.Variable(argument.Value, state), state);
                break;
            case { } when method is { DeclaredAccessibility: Accessibility.Public } && body.Known.IsOfLibrary(method):
                // What Kptr's API takes, it says.
                break;
            default:
                Escape(value, state);
                break;
        }
    }

    // Of arrays and of maps whose kind nobody knows here, the values may stay for ever.
    private bool CanDelete(IInvocationOperation call)
    {
        var map = call.Instance ?? call.Arguments.FirstOrDefault()?.Value;
        var type = map is null ? null : Values.Unwrapped(map).Type;
        return KnownTypes.Inherits(type, body.Known.BpfMap) && !KnownTypes.Is(type, body.Known.BpfMap)
            && !KnownTypes.Inherits(type, body.Known.ArrayMap);
    }
}
