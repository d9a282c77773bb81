using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Maps;

/// <summary>Finds map types that say they can do what only the base class answers, with an error.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MapTypeAnalyzer : DiagnosticAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.NotOverridden];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is { BpfMap: not null } known)
            {
                start.RegisterOperationBlockAction(c => CheckBatches(c, known));
                start.RegisterOperationAction(c => CheckMapType(c, known), OperationKind.ObjectCreation);
                start.RegisterOperationAction(c => CheckConformance(c, known), OperationKind.Invocation);
            }
        });
    }

    private static void CheckBatches(OperationBlockAnalysisContext context, KnownTypes known)
    {
        var owner = context.OwningSymbol is IMethodSymbol accessor ? accessor.AssociatedSymbol : context.OwningSymbol;
        if (owner is not IPropertySymbol { Name: "BatchOps", IsOverride: true } property
            || property.ContainingType.IsAbstract || !KnownTypes.Inherits(property.ContainingType, known.BpfMap))
        {
            return;
        }

        foreach (var constant in context.OperationBlocks.SelectMany(b => b.DescendantsAndSelf())
            .Where(o => o.ConstantValue is { HasValue: true, Value: int } && !IsInConstant(o)))
        {
            var ops = (MapBatchOps)(int)constant.ConstantValue.Value!;
            foreach (var (what, method) in Needs.Of(ops))
            {
                Report(context.ReportDiagnostic, known, constant.Syntax, what, method, property.ContainingType);
            }
        }
    }

    private static bool IsInConstant(IOperation operation) => operation.Parent?.ConstantValue.HasValue == true;

    private static void CheckMapType(OperationAnalysisContext context, KnownTypes known)
    {
        var creation = (IObjectCreationOperation)context.Operation;
        if (!KnownTypes.Is(creation.Type, known.MapType) || creation.Arguments.Length < 2
            || Argument(creation.Arguments, "Spec") is not IObjectCreationOperation spec
            || !KnownTypes.Is(spec.Type, known.MapTypeSpec)
            || MadeBy(Argument(creation.Arguments, "Make"), known) is not { } map)
        {
            return;
        }

        foreach (var (what, method) in Needs.Of(HelpersOf(spec)))
        {
            Report(context.ReportDiagnostic, known, spec.Syntax, what, method, map);
        }
    }

    private static void CheckConformance(OperationAnalysisContext context, KnownTypes known)
    {
        var call = (IInvocationOperation)context.Operation;
        if (!KnownTypes.Is(call.TargetMethod.ContainingType, known.Conformance)
            || Argument(call.Arguments, "factory") is not { } factory
            || Argument(call.Arguments, "capabilities") is not { } claimed
            || MadeBy(factory, known) is not { } map)
        {
            return;
        }

        foreach (var (what, method) in Capabilities.NeedsOf(claimed, known))
        {
            Report(context.ReportDiagnostic, known, claimed.Syntax, what, method, map);
        }
    }

    private static void Report(
        Action<Diagnostic> report, KnownTypes known, SyntaxNode at, string what, string method, ITypeSymbol map)
    {
        if (!Overrides(map, method, known))
        {
            report(Diagnostic.Create(Rules.NotOverridden, at.GetLocation(), what, method, map.Name));
        }
    }

    private static bool Overrides(ITypeSymbol map, string method, KnownTypes known)
    {
        for (var at = map; at is not null && !KnownTypes.Is(at, known.BpfMap); at = at.BaseType)
        {
            if (at.GetMembers(method).Any(m => m is IMethodSymbol { IsOverride: true }))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The helpers that a blueprint lists, as far as they stand there by name.</summary>
    private static IEnumerable<string> HelpersOf(IObjectCreationOperation spec)
    {
        var listed = spec.Initializer?.Initializers.OfType<ISimpleAssignmentOperation>()
            .FirstOrDefault(a => a.Target is IPropertyReferenceOperation { Property.Name: "Helpers" });
        if (listed is not null)
        {
            return listed.Value.DescendantsAndSelf().OfType<IFieldReferenceOperation>()
                .Where(f => f.Field.ContainingType.Name == "HelperId").Select(f => f.Field.Name);
        }

        return (Argument(spec.Arguments, "like") as IFieldReferenceOperation)?.Field.Name switch
        {
            "Queue" or "Stack" => ["MapPushElem", "MapPopElem", "MapPeekElem"],
            "BloomFilter" => ["MapPushElem", "MapPeekElem"],
            _ => [],
        };
    }

    /// <summary>The class of map that a lambda makes, where it is one that it names.</summary>
    private static INamedTypeSymbol? MadeBy(IOperation? factory, KnownTypes known)
    {
        var lambda = factory is IDelegateCreationOperation creation ? creation.Target : factory;
        return (lambda as IAnonymousFunctionOperation)?.Body.Operations.FirstOrDefault()
            is IReturnOperation { ReturnedValue: { } made }
            && Unwrapped(made) is IObjectCreationOperation { Type: INamedTypeSymbol type }
            && KnownTypes.Inherits(type, known.BpfMap) && !KnownTypes.Is(type, known.BpfMap) ? type : null;
    }

    private static IOperation? Argument(ImmutableArray<IArgumentOperation> arguments, string name) =>
        arguments.FirstOrDefault(a => a.Parameter?.Name == name) is { Value: var value } ? Unwrapped(value) : null;

    private static IOperation Unwrapped(IOperation value)
    {
        while (value is IConversionOperation { OperatorMethod: null, Operand: var operand })
        {
            value = operand;
        }

        return value;
    }
}
