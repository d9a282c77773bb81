using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

/// <summary>Runs operations on a path's state, and says what each expression holds.</summary>
/// <remarks>
/// What it does not know keeps nothing: a reference that goes into an expression, a member or a method that is not
/// Kptr's counts as moved where nobody follows it.
/// </remarks>
internal sealed partial class Evaluator(Body body)
{
    private const int DepthMax = 200;
    private int _depth;

    internal int Evaluate(IOperation? operation, PathState state)
    {
        if (operation is null || state.IsDead)
        {
            return PathState.Unknown;
        }

        if (_depth > DepthMax)
        {
            EscapeAllIn(operation, state);
            return PathState.Unknown;
        }

        _depth++;
        var value = EvaluateCore(operation, state);
        _depth--;
        return value;
    }

    /// <summary>Runs a value that leaves the function.</summary>
    internal void Return(IOperation value, ControlFlowBranch? branch, PathState state)
    {
        var held = Evaluate(value, state);
        if (branch?.Semantics == ControlFlowBranchSemantics.Return && Is(held, ResourceKind.Reference))
        {
            Spend(held, "returned", value, Values.Variable(value, state), state);
        }
        else
        {
            Escape(held, state);
        }

        LetWholeGo(value, state);
    }

    /// <summary>Ends a path: what it owns still is lost.</summary>
    internal void Exit(PathState state, int line)
    {
        foreach (var pair in state.Items.Where(i => i.Value.Status == Status.Owned))
        {
            if (body[pair.Key].Kind is not (ResourceKind.Look or ResourceKind.Scope))
            {
                body.Lose(pair.Key, pair.Value, line);
            }
        }
    }

    private int EvaluateCore(IOperation operation, PathState state)
    {
        switch (operation)
        {
            case IExpressionStatementOperation statement:
                return Evaluate(statement.Operation, state);
            case IFlowCaptureOperation capture:
                var captured = Evaluate(capture.Value, state);
                state.Set(capture.Id, captured, Values.Variable(capture.Value, state));
                return PathState.Unknown;
            case IFlowCaptureReferenceOperation reference:
                return state[reference.Id];
            case ILocalReferenceOperation local:
                return Variable(local.Local, local.Local.IsRef || IsBytes(local.Type), local, state);
            case IParameterReferenceOperation parameter:
                return Variable(parameter.Parameter, false, parameter, state);
            case ISimpleAssignmentOperation assignment:
                return Assign(assignment, state);
            case IDeconstructionAssignmentOperation deconstruction:
                Escape(Evaluate(deconstruction.Value, state), state);
                ForgetTargets(deconstruction.Target, state);
                return PathState.Unknown;
            case ICompoundAssignmentOperation compound:
                EscapeEach(compound, state);
                ForgetTargets(compound.Target, state);
                return PathState.Unknown;
            case IIncrementOrDecrementOperation increment:
                Evaluate(increment.Target, state);
                ForgetTargets(increment.Target, state);
                return PathState.Unknown;
            case IConversionOperation { OperatorMethod: null } conversion:
                return Evaluate(conversion.Operand, state);
            case IParenthesizedOperation parenthesized:
                return Evaluate(parenthesized.Operand, state);
            case IInvocationOperation call:
                return Call(call, state);
            case IObjectCreationOperation creation:
                return Create(creation, state);
            case IPropertyReferenceOperation property:
                return Property(property, state);
            case IIsPatternOperation pattern:
                return Match(pattern, state);
            case IAwaitOperation or IReturnOperation:
                return Pause(operation, state);
            case IDefaultValueOperation:
                return PathState.Null;
            case IFlowAnonymousFunctionOperation or INameOfOperation or ITypeOfOperation:
                return PathState.Unknown;
            case IMethodReferenceOperation method:
                Escape(Evaluate(method.Instance, state), state);
                return PathState.Unknown;
            case IFieldReferenceOperation or IBinaryOperation or IUnaryOperation or IIsNullOperation or IIsTypeOperation
                or IInterpolatedStringOperation or IInterpolationOperation or IInterpolatedStringTextOperation
                or IEventReferenceOperation:
                LookAtEach(operation, state);
                return Values.IsNull(operation) ? PathState.Null : PathState.Unknown;
            default:
                EscapeEach(operation, state);
                return Values.IsNull(operation) ? PathState.Null : PathState.Unknown;
        }
    }

    private int Variable(ISymbol variable, bool isUse, IOperation at, PathState state)
    {
        var value = state[variable];
        if (isUse)
        {
            UseLook(value, at, state);
        }

        return value;
    }

    private int Assign(ISimpleAssignmentOperation assignment, PathState state)
    {
        var target = assignment.Target;
        var variable = target is ILocalReferenceOperation or IParameterReferenceOperation
            or IFlowCaptureReferenceOperation ? Values.Variable(target, state) : null;
        var isWriteThrough = !assignment.IsRef && IsByRef(variable);
        if (variable is null || isWriteThrough)
        {
            Evaluate(target, state);
        }

        var value = Evaluate(assignment.Value, state);
        if (variable is not null && !isWriteThrough)
        {
            Hold(variable, value, state);
            if (variable is ILocalSymbol { Type.SpecialType: SpecialType.System_Boolean }
                && assignment.Value.ConstantValue is { HasValue: true, Value: bool constant }
                && !body.Shared.Contains(variable))
            {
                state.Assume(variable.Name, constant, [variable]);
            }
        }
        else if (target is not IDiscardOperation)
        {
            Escape(value, state);
            LetWholeGo(assignment.Value, state);
        }

        return value;
    }

    private static bool IsByRef(ISymbol? variable) => variable is ILocalSymbol { IsRef: true }
        or IParameterSymbol { RefKind: not RefKind.None };

    private void Hold(ISymbol variable, int value, PathState state)
    {
        if (body.Shared.Contains(variable))
        {
            Escape(value, state);
            value = PathState.Unknown;
        }
        else if (value >= 0)
        {
            body[value].Name ??= variable;
        }

        state.Set(variable, value);
    }

    private int Match(IIsPatternOperation pattern, PathState state)
    {
        var value = Evaluate(pattern.Value, state);
        var shape = pattern.Pattern;
        while (shape is INegatedPatternOperation negated)
        {
            shape = negated.Pattern;
        }

        var declared = shape switch
        {
            IDeclarationPatternOperation declaration => declaration.DeclaredSymbol,
            IRecursivePatternOperation recursive => recursive.DeclaredSymbol,
            _ => null,
        };

        // Assigned before anybody knows whether it matches: it can be used only where it does.
        if (declared is not null)
        {
            Hold(declared, value, state);
        }

        return PathState.Unknown;
    }

    private int Pause(IOperation operation, PathState state)
    {
        foreach (var child in operation.ChildOperations)
        {
            Escape(Evaluate(child, state), state);
        }

        if (operation is IReturnOperation { Kind: not OperationKind.YieldReturn })
        {
            return PathState.Unknown;
        }

        foreach (var pair in state.Items.Where(i => i.Value.Status == Status.Owned).ToList())
        {
            var resource = body[pair.Key];
            if (resource.Kind is ResourceKind.Reader or ResourceKind.Scope
                && pair.Value is not { IsMixed: true, IsGuarded: true })
            {
                body.Report(
                    Rules.ReaderLeftOpen, operation.Syntax, resource.What, resource.Line,
                    operation is IAwaitOperation ? "when this waits" : "when this hands a value out");
                state.Items[pair.Key] = new(Status.Escaped);
            }
        }

        return PathState.Unknown;
    }

    /// <summary>Forgets what variables held that are written here; through a reference, they are not.</summary>
    private void ForgetTargets(IOperation target, PathState state)
    {
        switch (target)
        {
            case ITupleOperation or IDeclarationExpressionOperation:
                foreach (var child in target.ChildOperations)
                {
                    ForgetTargets(child, state);
                }

                break;
            case ILocalReferenceOperation or IParameterReferenceOperation or IFlowCaptureReferenceOperation
                when Values.Variable(target, state) is { } variable && !IsByRef(variable):
                Escape(state[variable], state);
                state.Set(variable, PathState.Unknown);
                break;
        }
    }

    private void LookAtEach(IOperation operation, PathState state)
    {
        foreach (var child in operation.ChildOperations)
        {
            var value = Evaluate(child, state);
            if (operation is IFieldReferenceOperation)
            {
                UseLook(value, operation, state);
            }
        }
    }

    private void EscapeEach(IOperation operation, PathState state)
    {
        foreach (var child in operation.ChildOperations)
        {
            Escape(Evaluate(child, state), state);
        }
    }

    private void EscapeAllIn(IOperation operation, PathState state)
    {
        foreach (var part in operation.DescendantsAndSelf())
        {
            if (Values.Variable(part, state) is { } variable)
            {
                Escape(state[variable], state);
                state.Set(variable, PathState.Unknown);
            }
            else if (part is IFlowCaptureReferenceOperation capture)
            {
                Escape(state[capture.Id], state);
            }
        }
    }

    private static bool IsBytes(ITypeSymbol? type) => type is INamedTypeSymbol
    {
        Name: "Span" or "ReadOnlySpan", IsGenericType: true, ContainingNamespace.Name: "System",
    };
}
