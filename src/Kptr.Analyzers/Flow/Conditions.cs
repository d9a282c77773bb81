using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Flow;

/// <summary>What the outcome of a condition says.</summary>
internal static class Conditions
{
    private const int PartsMax = 20;

    /// <summary>Notes what an outcome means; false where the path cannot have it.</summary>
    internal static bool Assume(Body body, IOperation condition, bool outcome, PathState state)
    {
        condition = Values.Unwrapped(condition);
        if (condition.ConstantValue is { HasValue: true, Value: bool constant })
        {
            return constant == outcome;
        }

        switch (condition)
        {
            case IUnaryOperation { OperatorKind: UnaryOperatorKind.Not, OperatorMethod: null, Operand: var operand }:
                return Assume(body, operand, !outcome, state);
            default:
                if (NullTest(condition) is var (tested, isNullWhen) && tested is not null)
                {
                    return AssumeNull(Values.Held(body, tested, state), isNullWhen == outcome, state)
                        && AssumeFact(body, condition, outcome, state);
                }

                if (condition is IIsPatternOperation pattern && outcome)
                {
                    AssumeNull(Values.Held(body, pattern.Value, state), false, state);
                }

                return AssumeFact(body, condition, outcome, state);
        }
    }

    /// <summary>The resource that a condition asks about, or none.</summary>
    internal static int ResourceOf(Body body, IOperation condition, PathState state)
    {
        condition = Values.Unwrapped(condition);
        while (condition is IUnaryOperation { OperatorKind: UnaryOperatorKind.Not } not)
        {
            condition = Values.Unwrapped(not.Operand);
        }

        return NullTest(condition).Tested is { } tested ? Values.Held(body, tested, state) : PathState.Unknown;
    }

    /// <summary>Notes that a condition was asked, which may tell paths apart that have met.</summary>
    internal static void Guard(PathState state, int asked)
    {
        foreach (var pair in state.Items.Where(i => i.Key != asked && i.Value is { IsMixed: true, IsGuarded: false })
            .ToList())
        {
            state.Items[pair.Key] = pair.Value with { IsGuarded = true };
        }
    }

    /// <summary>What a condition holds against null, and the outcome that means that it is null.</summary>
    private static (IOperation? Tested, bool IsNullWhen) NullTest(IOperation condition)
    {
        switch (condition)
        {
            case IIsNullOperation isNull:
                return (isNull.Operand, true);
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.Equals or BinaryOperatorKind.NotEquals } binary:
                var isEqual = binary.OperatorKind == BinaryOperatorKind.Equals;
                return Values.IsNull(binary.RightOperand) ? (binary.LeftOperand, isEqual)
                    : Values.IsNull(binary.LeftOperand) ? (binary.RightOperand, isEqual)
                    : default;
            case IPropertyReferenceOperation { Property.Name: "HasValue", Instance: { } instance }
                when instance.Type?.OriginalDefinition.SpecialType == SpecialType.System_Nullable_T:
                return (instance, false);
            case IIsPatternOperation pattern:
                return IsNullPattern(pattern.Pattern) is { } when ? (pattern.Value, when) : default;
            default:
                return default;
        }
    }

    /// <summary>The outcome of a pattern that means null; null where both can.</summary>
    private static bool? IsNullPattern(IPatternOperation pattern) => pattern switch
    {
        INegatedPatternOperation negated => !IsNullPattern(negated.Pattern),
        IConstantPatternOperation constant => Values.IsNull(constant.Value) ? true : null,
        IDeclarationPatternOperation { MatchesNull: false } declared =>
            IsWhole(declared, declared.MatchedType) ? false : null,
        ITypePatternOperation type => IsWhole(type, type.MatchedType) ? false : null,
        IRecursivePatternOperation { DeconstructionSubpatterns.Length: 0, PropertySubpatterns.Length: 0 } any =>
            IsWhole(any, any.MatchedType) ? false : null,
        _ => null,
    };

    // A pattern of the value's own type is missed by null alone.
    private static bool IsWhole(IPatternOperation pattern, ITypeSymbol? matched) =>
        SymbolEqualityComparer.Default.Equals(KnownTypes.Bare(pattern.InputType), matched);

    private static bool AssumeNull(int id, bool isNull, PathState state)
    {
        if (id == PathState.Null)
        {
            return isNull;
        }

        if (id < 0 || !state.Items.TryGetValue(id, out var item))
        {
            return true;
        }

        if (isNull)
        {
            if (item.IsNonNull)
            {
                return false;
            }

            state.Items[id] = new(Status.Null);
            return true;
        }

        state.Items[id] = item with { IsNonNull = true };
        return item.Status != Status.Null;
    }

    private static bool AssumeFact(Body body, IOperation condition, bool outcome, PathState state)
    {
        var symbols = ImmutableArray.CreateBuilder<ISymbol>();
        var parts = 0;
        return !IsFact(body, condition, symbols, ref parts)
            || state.Assume(condition.Syntax.ToString(), outcome, symbols.ToImmutable());
    }

    /// <summary>Whether a condition has the same outcome until one of the variables changes.</summary>
    private static bool IsFact(
        Body body, IOperation part, ImmutableArray<ISymbol>.Builder symbols, ref int parts)
    {
        if (++parts > PartsMax)
        {
            return false;
        }

        if (part.ConstantValue.HasValue)
        {
            return true;
        }

        switch (part)
        {
            case ILocalReferenceOperation { Local: { IsRef: false } local }:
                symbols.Add(local);
                return !body.Shared.Contains(local);
            case IParameterReferenceOperation { Parameter: { RefKind: RefKind.None } parameter }:
                symbols.Add(parameter);
                return !body.Shared.Contains(parameter);
            case IBinaryOperation { OperatorMethod: null } or IUnaryOperation { OperatorMethod: null }
                or IConversionOperation { OperatorMethod: null } or IIsPatternOperation or INegatedPatternOperation
                or IConstantPatternOperation or IRelationalPatternOperation or IBinaryPatternOperation
                or IIsNullOperation:
                foreach (var child in part.ChildOperations)
                {
                    if (!IsFact(body, child, symbols, ref parts))
                    {
                        return false;
                    }
                }

                return true;
            default:
                return false;
        }
    }
}
