using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

/// <summary>What expressions are, as they stand.</summary>
internal static class Values
{
    /// <summary>The expression below conversions that keep what it is.</summary>
    internal static IOperation Unwrapped(IOperation value)
    {
        while (true)
        {
            switch (value)
            {
                case IConversionOperation { OperatorMethod: null, Operand: var operand }:
                    value = operand;
                    break;
                case IParenthesizedOperation { Operand: var inner }:
                    value = inner;
                    break;
                default:
                    return value;
            }
        }
    }

    internal static bool IsNull(IOperation value)
    {
        value = Unwrapped(value);
        return value.ConstantValue is { HasValue: true, Value: null } || value is IDefaultValueOperation;
    }

    /// <summary>The variable that stands there, through whatever shows the same thing.</summary>
    internal static ISymbol? Variable(IOperation? value, PathState state) => value is null ? null : Shown(value) switch
    {
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        IFlowCaptureReferenceOperation capture => state.VariableOf(capture.Id),
        _ => null,
    };

    /// <summary>What an expression that was evaluated holds.</summary>
    internal static int Held(Body body, IOperation value, PathState state) => Shown(value) switch
    {
        ILocalReferenceOperation local => state[local.Local],
        IParameterReferenceOperation parameter => state[parameter.Parameter],
        IFlowCaptureReferenceOperation capture => state[capture.Id],
        ISimpleAssignmentOperation assignment => Held(body, assignment.Value, state),
        var other => IsNull(other) ? PathState.Null
            : body.Made(other) is { } made && state.Items.ContainsKey(made.Id) ? made.Id : PathState.Unknown,
    };

    /// <summary>The expression below <c>.Value</c> and <c>GetValueOrDefault()</c> as well.</summary>
    private static IOperation Shown(IOperation value)
    {
        while (true)
        {
            value = Unwrapped(value);
            switch (value)
            {
                case IPropertyReferenceOperation { Instance: { } instance } property when IsNullableValue(property):
                    value = instance;
                    break;
                case IInvocationOperation { Instance: { } instance } call when IsNullableValue(call):
                    value = instance;
                    break;
                default:
                    return value;
            }
        }
    }

    internal static bool IsNullableValue(IPropertyReferenceOperation property) => property.Property.Name == "Value"
        && property.Property.ContainingType.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T;

    internal static bool IsNullableValue(IInvocationOperation call) => call.TargetMethod.Name == "GetValueOrDefault"
        && call.Arguments.Length == 0
        && call.TargetMethod.ContainingType.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T;
}
