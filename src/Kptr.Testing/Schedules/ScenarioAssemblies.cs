using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.Loader;

namespace Kptr.Testing.Schedules;

/// <summary>The rewritten copies of Kptr and of the assemblies that use it, in a load context of their own.</summary>
[RequiresUnreferencedCode("Loads rewritten copies of assemblies.")]
[RequiresDynamicCode("Loads rewritten copies of assemblies.")]
internal sealed class ScenarioAssemblies : AssemblyLoadContext
{
    private static readonly Lazy<ScenarioAssemblies> s_ofProcess = new(static () => new ScenarioAssemblies());
    private readonly HashSet<string> _scenarios = [];
    private readonly Lock _lock = new();

    private ScenarioAssemblies()
        : base("scenarios")
    {
    }

    /// <summary>Made once in a process: rewriting takes longer than many explorations.</summary>
    internal static ScenarioAssemblies OfProcess => s_ofProcess.Value;

    internal SiteTable Sites { get; } = new();

    /// <summary>The same method, in the rewritten copy, on a target with the same captured values.</summary>
    internal (MethodInfo Method, object? Target) Twin(Delegate given)
    {
        var method = given.Method;
        var type = method.DeclaringType ?? throw new ArgumentException("a scenario's code must be a method of a type");
        var twinType = TypeOf(type);
        var twin = twinType.GetMethods(Members).Single(m => m.Name == method.Name
            && m.GetParameters().Select(p => p.ParameterType.FullName)
                .SequenceEqual(method.GetParameters().Select(p => p.ParameterType.FullName)));
        return (twin, twin.IsStatic ? null : Copy(given.Target!, twinType, $"{method.Name} captures"));
    }

    private const BindingFlags Members = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public
        | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private Type TypeOf(Type type)
    {
        lock (_lock)
        {
            _scenarios.Add(type.Assembly.GetName().Name!);
        }

        return LoadFromAssemblyName(type.Assembly.GetName()).GetType(type.FullName!, throwOnError: true)!;
    }

    private static object Copy(object target, Type twinType, string what)
    {
        var twin = System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(twinType);
        foreach (var field in target.GetType().GetFields(Members).Where(f => !f.IsStatic && !IsKeptLambda(f)))
        {
            var value = field.GetValue(target);
            var twinField = twinType.GetField(field.Name, Members)!;
            if (value is null || value.GetType().IsPrimitive || value is string or decimal)
            {
                twinField.SetValue(twin, value);
            }
            else if (value is Enum)
            {
                twinField.SetValue(twin, Enum.ToObject(
                    twinField.FieldType.IsEnum ? twinField.FieldType : value.GetType(), value));
            }
            else if (field.Name.StartsWith("CS$", StringComparison.Ordinal))
            {
                twinField.SetValue(twin, Copy(value, twinField.FieldType, what));
            }
            else
            {
                throw new ArgumentException(
                    $"{what} '{field.Name}' of type {value.GetType().Name}. A scenario runs in rewritten copies of its "
                        + "assemblies, which objects made outside cannot enter: make it in the set-up, or capture "
                        + "numbers, strings and enums only.");
            }
        }

        return twin;
    }

    // Where one lambda of a scope captures something, the compiler keeps the others beside it, and makes what is null.
    private static bool IsKeptLambda(FieldInfo field) => field.Name.StartsWith("<>9__", StringComparison.Ordinal);

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "what has no file is not rewritten")]
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (assemblyName.Name is null or "Kptr.Testing"
            || Default.LoadFromAssemblyName(assemblyName) is not { } original || !IsRewritten(original))
        {
            return null;
        }

        using var copy = new MemoryStream(AssemblyRewriter.Rewrite(
            original.Location, Sites,
            [AppContext.BaseDirectory, Path.GetDirectoryName(typeof(object).Assembly.Location)!]));
        return LoadFromStream(copy);
    }

    [UnconditionalSuppressMessage("SingleFile", "IL3000", Justification = "what has no file is not rewritten")]
    private bool IsRewritten(Assembly original)
    {
        lock (_lock)
        {
            return original.Location.Length > 0 && (original.GetName().Name == "Kptr"
                || _scenarios.Contains(original.GetName().Name!)
                || original.GetReferencedAssemblies().Any(a => a.Name == "Kptr"));
        }
    }
}
