using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Kptr.Generators;

/// <summary>Writes the call of a declared method: registers become its arguments, its result <c>r0</c>.</summary>
/// <remarks>
/// A parameter takes the next register, except <c>ProgContext</c> (who calls), <c>KernelCore</c> (where) and
/// caller-info ones, which keep their default: the run on this thread knows the program's place. Kernel objects come as
/// their C# side, null for 0; a <c>KernelRef</c> parameter takes the program's reference away, a returned one gives it
/// a reference. Narrow integers are cut, and results extended by their sign, as a C compiler does.
/// </remarks>
internal static class RegisterCall
{
    private const int RegArgsMax = 5;

    /// <summary>The lambda, or why there is none.</summary>
    internal static (string Body, Fault? Fault) Write(IMethodSymbol method)
    {
        if (!IsCallable(method))
        {
            return ("", FaultOf(method, Rules.NotCallable));
        }

        var (text, regs) = (new StringBuilder(), 0);
        foreach (var parameter in method.Parameters)
        {
            if (Argument(parameter, ref regs) is not { } argument || parameter.RefKind != RefKind.None)
            {
                return ("", FaultOf(method, Rules.NoPlaceInRegisters, $"parameter '{parameter.Name}'",
                    parameter.Type.ToDisplayString()));
            }

            text.Append(text.Length == 0 ? "" : ", ").Append(argument);
        }

        if (regs > RegArgsMax)
        {
            return ("", FaultOf(
                method, Rules.TooManyRegisters, regs.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        }

        var call = $"{Names.Of(method.ContainingType)}.{Names.Escaped(method.Name)}({text})";
        if (method.ReturnsVoid)
        {
            return ($"static (ctx, r1, r2, r3, r4, r5) => {{ unchecked {{ {call}; }} return 0; }}", null);
        }

        return Result(method.ReturnType, call) is { } result
            ? ($"static (ctx, r1, r2, r3, r4, r5) => unchecked({result})", null)
            : ("", FaultOf(method, Rules.NoPlaceInRegisters, "result", method.ReturnType.ToDisplayString()));
    }

    private static Fault FaultOf(IMethodSymbol method, DiagnosticDescriptor rule, params string[] more) =>
        new(rule, new([method.ToDisplayString(), .. more]), Place.Of(method));

    private static bool IsCallable(IMethodSymbol method)
    {
        if (!method.IsStatic || method.IsGenericMethod || !Names.IsAccessible(method))
        {
            return false;
        }

        for (var type = method.ContainingType; type is not null; type = type.ContainingType)
        {
            if (type.IsGenericType || type.IsFileLocal || !Names.IsAccessible(type))
            {
                return false;
            }
        }

        return true;
    }

    private static string? Argument(IParameterSymbol parameter, ref int regs)
    {
        var type = parameter.Type;
        switch (Names.Of(type))
        {
            case Names.ProgContext:
                return "ctx";
            case Names.KernelCore:
                return "ctx.Core";
        }

        if (Names.IsCallerInfo(parameter))
        {
            return SymbolDisplay.FormatPrimitive(
                parameter.ExplicitDefaultValue!, quoteStrings: true, useHexadecimalNumbers: false);
        }

        var reg = $"r{++regs}";
        return type switch
        {
            { SpecialType: SpecialType.System_Boolean } => $"(byte){reg} != 0",
            _ when Names.IsInteger(type) => $"({Names.Of(type)}){reg}",
            INamedTypeSymbol { EnumUnderlyingType: not null } => $"({Names.Of(type)}){reg}",
            _ when Names.RefTarget(type, out var isNullable) is { } target =>
                $"ctx.TakeRef<{target}>({reg}){(isNullable ? "" : ".GetValueOrDefault()")}",
            _ when Names.IsKernelObject(type) => $"ctx.ObjectAt<{Names.Of(type)}>({reg})!",
            _ => null,
        };
    }

    private static string? Result(ITypeSymbol type, string call) => type switch
    {
        { SpecialType: SpecialType.System_Boolean } => $"{call} ? 1UL : 0UL",
        _ when Names.IsInteger(type) => $"(ulong)(long){call}",
        INamedTypeSymbol { EnumUnderlyingType: not null } => $"(ulong)(long){call}",
        _ when Names.RefTarget(type, out _) is { } target => $"ctx.GiveRef<{target}>({call})",
        _ when Names.IsKernelObject(type) => $"{call}?.Address ?? 0UL",
        _ => null,
    };
}
