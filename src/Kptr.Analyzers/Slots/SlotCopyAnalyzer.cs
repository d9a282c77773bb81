using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Slots;

/// <summary>Finds slots, and values with slots, that are copied out of where they lie.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class SlotCopyAnalyzer : DiagnosticAnalyzer
{
    private const int DepthMax = 16;

    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.Copied];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is not { Slot: { } slot })
            {
                return;
            }

            var known = new ConcurrentDictionary<ITypeSymbol, bool>(SymbolEqualityComparer.Default);
            start.RegisterOperationAction(
                c => Check(c, slot, known), OperationKind.LocalReference, OperationKind.ParameterReference,
                OperationKind.Invocation, OperationKind.PropertyReference, OperationKind.FieldReference);
        });
    }

    private static void Check(
        OperationAnalysisContext context, INamedTypeSymbol slot, ConcurrentDictionary<ITypeSymbol, bool> known)
    {
        var operation = context.Operation;
        if (operation.Type is not INamedTypeSymbol { IsValueType: true } type
            || !known.GetOrAdd(type, t => HoldsSlot(t, slot, 0)))
        {
            return;
        }

        if (IsCopiedUnseen(operation, slot))
        {
            context.ReportDiagnostic(Diagnostic.Create(
                Rules.Copied, operation.Syntax.GetLocation(),
                "The slot is read-only here, so the call works on a copy of it that owns nothing: take a 'ref' to it"));
        }
        else if (LiesElsewhere(operation) && IsCopied(operation))
        {
            var what = KnownTypes.Is(type, slot) ? "The slot" : $"The '{type.Name}' with its slots";
            context.ReportDiagnostic(Diagnostic.Create(
                Rules.Copied, operation.Syntax.GetLocation(),
                $"{what} is copied, and the copy owns nothing: take a 'ref' to it"));
        }
    }

    private static bool HoldsSlot(ITypeSymbol type, INamedTypeSymbol slot, int depth) =>
        KnownTypes.Is(type, slot)
        || (depth < DepthMax && type is INamedTypeSymbol { TypeKind: TypeKind.Struct, SpecialType: SpecialType.None }
            && type.GetMembers().Any(m => m is IFieldSymbol { IsStatic: false } field
                && !SymbolEqualityComparer.Default.Equals(field.Type, type)
                && HoldsSlot(field.Type, slot, depth + 1)));

    /// <summary>Whether the expression is a place that others see too, such as a map's value.</summary>
    private static bool LiesElsewhere(IOperation place)
    {
        while (place is IFieldReferenceOperation { Instance: { Type.IsValueType: true } instance })
        {
            place = instance;
        }

        return place switch
        {
            ILocalReferenceOperation local => local.Local.IsRef,
            IParameterReferenceOperation parameter => parameter.Parameter.RefKind
                is RefKind.Ref or RefKind.In or RefKind.RefReadOnlyParameter,
            IInvocationOperation call => call.TargetMethod.RefKind != RefKind.None,
            IPropertyReferenceOperation property => property.Property.RefKind != RefKind.None,
            _ => false,
        };
    }

    /// <summary>Whether the compiler copies a slot that is read-only, as the called method may write it.</summary>
    private static bool IsCopiedUnseen(IOperation place, INamedTypeSymbol slot) =>
        KnownTypes.Is(place.Type, slot)
        && place.Parent is IInvocationOperation { TargetMethod.IsReadOnly: false } call && call.Instance == place
        && KnownTypes.Is(call.TargetMethod.ContainingType, slot) && IsReadOnly(place);

    private static bool IsReadOnly(IOperation place)
    {
        while (place is IFieldReferenceOperation { Instance: { Type.IsValueType: true } instance })
        {
            place = instance;
        }

        return place switch
        {
            ILocalReferenceOperation local => local.Local.RefKind is RefKind.RefReadOnly or RefKind.In,
            IParameterReferenceOperation parameter => parameter.Parameter.RefKind
                is RefKind.In or RefKind.RefReadOnlyParameter,
            IInvocationOperation call => call.TargetMethod.RefKind == RefKind.RefReadOnly,
            IPropertyReferenceOperation property => property.Property.RefKind == RefKind.RefReadOnly,
            _ => false,
        };
    }

    private static bool IsCopied(IOperation place) => place.Parent switch
    {
        IConversionOperation { Type.IsReferenceType: true } => true,
        IConversionOperation conversion => conversion.OperatorMethod is not null || IsCopied(conversion),
        IArgumentOperation argument => argument.Parameter is { RefKind: RefKind.None },
        ISimpleAssignmentOperation assignment => assignment is { IsRef: false, Target: not IDiscardOperation }
            && assignment.Value == place,
        IVariableInitializerOperation { Parent: IVariableDeclaratorOperation declarator } => !declarator.Symbol.IsRef,
        IReturnOperation => !ReturnsByRef(place),
        IArrayInitializerOperation or ITupleOperation or ICollectionExpressionOperation or IWithOperation => true,
        IConditionalOperation { IsRef: false } conditional => conditional.Condition != place && IsCopied(conditional),
        _ => false,
    };

    private static bool ReturnsByRef(IOperation place)
    {
        for (var at = place.Parent; at is not null; at = at.Parent)
        {
            switch (at)
            {
                case IAnonymousFunctionOperation lambda:
                    return lambda.Symbol.RefKind != RefKind.None;
                case ILocalFunctionOperation local:
                    return local.Symbol.RefKind != RefKind.None;
            }
        }

        return place.SemanticModel?.GetEnclosingSymbol(place.Syntax.SpanStart) switch
        {
            IMethodSymbol method => method.RefKind != RefKind.None,
            IPropertySymbol property => property.RefKind != RefKind.None,
            _ => true,
        };
    }
}
