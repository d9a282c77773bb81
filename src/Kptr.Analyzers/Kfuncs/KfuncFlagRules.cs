using Microsoft.CodeAnalysis;

namespace Kptr.Analyzers.Kfuncs;

/// <summary>What a kfunc's flags promise the verifier, and its C# signature and prototype must keep.</summary>
internal static class KfuncFlagRules
{
    private const KfuncFlags IterFlags = KfuncFlags.IterNew | KfuncFlags.IterNext | KfuncFlags.IterDestroy;

    private const string GivesUnsaid = "returns a reference without the flag Acquire: programs would lose it";
    private const string TakesUnsaid = "takes a reference without the flag Release: programs would go on using it";
    private const string DestroysUnsaid = "is a destructor without the flag Release";

    /// <summary>The flag that would mend a fault; null where it is another's choice.</summary>
    internal static string? MissingFlag(string fault) => fault switch
    {
        GivesUnsaid => "Acquire",
        TakesUnsaid or DestroysUnsaid => "Release",
        _ => null,
    };

    internal static IEnumerable<string> Faults(
        KnownTypes known, IMethodSymbol method, KfuncFlags flags, Prototype? prototype, bool isDtor)
    {
        var gives = known.IsReference(method.ReturnType);
        var takes = method.Parameters.Any(p => known.IsReference(p.Type));
        if (Has(flags, KfuncFlags.Acquire) && !gives && !IsAddress(method.ReturnType))
        {
            yield return "has the flag Acquire and returns no reference";
        }
        else if (Has(flags, KfuncFlags.Acquire) && prototype is { ReturnsPointer: false })
        {
            yield return "has the flag Acquire and a prototype that returns no pointer";
        }
        else if (gives && !Has(flags, KfuncFlags.Acquire))
        {
            yield return GivesUnsaid;
        }

        if (Has(flags, KfuncFlags.Release) && !takes && !method.Parameters.Any(p => IsAddress(p.Type)))
        {
            yield return "has the flag Release and takes no reference";
        }
        else if (takes && !Has(flags, KfuncFlags.Release))
        {
            yield return TakesUnsaid;
        }

        if (isDtor && !Has(flags, KfuncFlags.Release))
        {
            yield return DestroysUnsaid;
        }

        if (Has(flags, KfuncFlags.RetNull)
            && (method.ReturnsVoid || prototype is { ReturnsPointer: false }))
        {
            yield return "has the flag RetNull and returns no pointer";
        }

        if (prototype is not null)
        {
            foreach (var fault in AgainstPrototype(known, method, flags, prototype))
            {
                yield return fault;
            }
        }
    }

    private static IEnumerable<string> AgainstPrototype(
        KnownTypes known, IMethodSymbol method, KfuncFlags flags, Prototype prototype)
    {
        var regs = method.Parameters.Count(p => IsRegister(known, p));
        if (regs > prototype.ParamCount && !prototype.IsVariadic)
        {
            yield return $"takes {regs} registers, and its prototype has {prototype.ParamCount} parameters";
        }

        if (method.ReturnsVoid && !prototype.ReturnsVoid)
        {
            yield return "returns nothing, and its prototype returns something";
        }

        if ((flags & IterFlags) != 0 && !prototype.TakesPointer)
        {
            yield return "is an iterator's, and its prototype does not begin with a pointer to one";
        }

        if (Has(flags, KfuncFlags.IterNext) && !prototype.ReturnsPointer)
        {
            yield return "has the flag IterNext and returns no pointer";
        }

        if (Has(flags, KfuncFlags.IterDestroy) && !prototype.ReturnsVoid)
        {
            yield return "has the flag IterDestroy and returns something";
        }
    }

    private static bool Has(KfuncFlags flags, KfuncFlags flag) => (flags & flag) != 0;

    // A kfunc with a body of its own kind hands addresses through 64-bit registers.
    private static bool IsAddress(ITypeSymbol type) =>
        type.SpecialType is SpecialType.System_UInt64 or SpecialType.System_Int64;

    private static bool IsRegister(KnownTypes known, IParameterSymbol parameter) =>
        !KnownTypes.Is(parameter.Type, known.ProgContext) && !KnownTypes.Is(parameter.Type, known.KernelCore)
        && !parameter.GetAttributes().Any(a => a.AttributeClass?.Name is
            "CallerFilePathAttribute" or "CallerLineNumberAttribute" or "CallerMemberNameAttribute");
}
