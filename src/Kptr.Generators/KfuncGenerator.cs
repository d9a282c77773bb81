using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace Kptr.Generators;

/// <summary>
/// Makes, from methods with <c>[Kfunc]</c>, the tables that <c>KfuncRegistry</c> reads: no reflection finds or calls
/// them. Names the structs that lie inside others, whose fields a map must find where code is compiled ahead of time.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class KfuncGenerator : IIncrementalGenerator
{
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var isKptr = context.CompilationProvider.Select(
            static (c, _) => c.Assembly.GetTypeByMetadataName(Names.KfuncAttribute) is not null);
        var kfuncs = Methods(context, Names.KfuncAttribute, static (a, declaring) => [KfuncRow.Of(a, declaring)]);
        var helpers = Methods(context, Names.HelperAttribute, static (a, _) => KfuncRow.HelperIds(a));

        context.RegisterSourceOutput(kfuncs.Combine(isKptr), static (output, found) =>
            Emit(output, "Kptr.Kfuncs.g.cs", found.Left, sound => TableWriter.Kfuncs(sound, withList: found.Right)));
        context.RegisterSourceOutput(helpers.Combine(isKptr), static (output, found) =>
            Emit(output, "Kptr.Helpers.g.cs", found.Right ? found.Left : [], TableWriter.Helpers));

        var structs = context.SyntaxProvider
            .CreateSyntaxProvider(static (node, _) => ValueStructs.IsStruct(node), ValueStructs.Inside)
            .Where(static s => s.Any()).Collect();
        context.RegisterSourceOutput(structs.Combine(isKptr), static (output, found) =>
        {
            if (!found.Right && found.Left.Length > 0)
            {
                output.AddSource("Kptr.ValueStructs.g.cs", ValueStructs.Write(found.Left));
            }
        });
    }

    private static IncrementalValueProvider<ImmutableArray<DeclaredMethod>> Methods(
        IncrementalGeneratorInitializationContext context, string attribute,
        Func<AttributeData, INamedTypeSymbol, IEnumerable<string>> rowsOf) =>
        context.SyntaxProvider.ForAttributeWithMetadataName(
            attribute,
            static (_, _) => true,
            (found, _) => Declared((IMethodSymbol)found.TargetSymbol, found.Attributes, rowsOf)).Collect();

    private static DeclaredMethod Declared(
        IMethodSymbol method, ImmutableArray<AttributeData> attributes,
        Func<AttributeData, INamedTypeSymbol, IEnumerable<string>> rowsOf)
    {
        var (body, fault) = RegisterCall.Write(method);
        var rows = attributes.SelectMany(a => rowsOf(a, method.ContainingType));
        return new(Names.Of(method.ContainingType), new([.. rows]), body, fault);
    }

    private static void Emit(
        SourceProductionContext output, string file, ImmutableArray<DeclaredMethod> methods,
        Func<ImmutableArray<DeclaredMethod>, string> write)
    {
        foreach (var fault in methods.Select(m => m.Fault).OfType<Fault>())
        {
            output.ReportDiagnostic(fault.ToDiagnostic());
        }

        if (methods.Where(m => m.Fault is null).ToImmutableArray() is { Length: > 0 } sound)
        {
            output.AddSource(file, write(sound));
        }
    }
}
