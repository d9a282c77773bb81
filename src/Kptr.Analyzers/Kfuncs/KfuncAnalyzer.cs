using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Kptr.Analyzers.Kfuncs;

/// <summary>Holds declared kfuncs' flags and prototypes against their C# signatures.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class KfuncAnalyzer : DiagnosticAnalyzer
{
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } =
        [Rules.FlagsDisagree, Rules.BadPrototype];

    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            if (KnownTypes.Of(start.Compilation) is { } known)
            {
                start.RegisterSymbolAction(c => CheckMethod(c, known), SymbolKind.Method);
                start.RegisterOperationAction(c => CheckSpec(c, known), OperationKind.ObjectCreation);
            }
        });
    }

    private static void CheckMethod(SymbolAnalysisContext context, KnownTypes known)
    {
        var method = (IMethodSymbol)context.Symbol;
        var said = new HashSet<string>();
        foreach (var attribute in method.GetAttributes())
        {
            var given = attribute.ConstructorArguments;
            if (!KnownTypes.Is(attribute.AttributeClass, known.Kfunc) || given.Length != 2
                || given[0].Value is not string name || given[1].Value is not int flags)
            {
                continue;
            }

            var prototype = CheckPrototype(context, attribute, name);
            foreach (var what in KfuncFlagRules.Faults(known, method, (KfuncFlags)flags, prototype, IsDtor(attribute)))
            {
                if (said.Add(what))
                {
                    context.ReportDiagnostic(Diagnostic.Create(
                        Rules.FlagsDisagree, method.Locations[0], Places(attribute), ForFix(what), name, what));
                }
            }
        }
    }

    private static Location[] Places(AttributeData attribute) =>
        attribute.ApplicationSyntaxReference is { } reference ? [reference.SyntaxTree.GetLocation(reference.Span)] : [];

    private static ImmutableDictionary<string, string?> ForFix(string what) =>
        KfuncFlagRules.MissingFlag(what) is { } flag
            ? ImmutableDictionary<string, string?>.Empty.Add("Flag", flag) : ImmutableDictionary<string, string?>.Empty;

    private static bool IsDtor(AttributeData attribute) =>
        attribute.NamedArguments.Any(a => a is { Key: "DestructorOf", Value.Value: string });

    private static Prototype? CheckPrototype(SymbolAnalysisContext context, AttributeData attribute, string name)
    {
        if (attribute.NamedArguments.FirstOrDefault(a => a.Key == "Prototype").Value.Value is not string text
            || text.Length == 0)
        {
            return null;
        }

        var (read, fault) = Judge(text, name);
        if (fault is not null && attribute.ApplicationSyntaxReference is { } reference)
        {
            var syntax = (AttributeSyntax)reference.GetSyntax(context.CancellationToken);
            var argument = syntax.ArgumentList?.Arguments.FirstOrDefault(
                a => a.NameEquals?.Name.Identifier.ValueText == "Prototype");
            context.ReportDiagnostic(Diagnostic.Create(
                Rules.BadPrototype, (argument?.Expression ?? (SyntaxNode)syntax).GetLocation(), name, fault));
        }

        return read;
    }

    private static void CheckSpec(OperationAnalysisContext context, KnownTypes known)
    {
        var creation = (IObjectCreationOperation)context.Operation;
        if (KnownTypes.Is(creation.Type, known.KfuncSpec)
            && TextOf(creation, 0) is { Value: { ConstantValue.Value: string name } }
            && TextOf(creation, 1) is { Value: { ConstantValue.Value: string { Length: > 0 } text } } argument
            && Judge(text, name).Fault is { } fault)
        {
            context.ReportDiagnostic(Diagnostic.Create(
                Rules.BadPrototype, argument.Value.Syntax.GetLocation(), name, fault));
        }
    }

    private static IArgumentOperation? TextOf(IObjectCreationOperation creation, int ordinal) =>
        creation.Arguments.FirstOrDefault(a => a.Parameter?.Ordinal == ordinal);

    private static (Prototype? Read, string? Fault) Judge(string text, string name)
    {
        var (read, fault) = PrototypeParser.Parse(text);
        return read is not null && read.Name != name
            ? (null, $"declares '{read.Name}'")
            : (read, fault);
    }
}
