using System.Reflection;
using Kptr.Testing;
using Kptr.Tracing;

namespace Kptr.Repo.Tests;

/// <summary>Options say at the assignment that null is none: where they are used, nobody knows who gave it.</summary>
public class OptionTests
{
    private static readonly Type[] s_ofEachAssembly =
        [typeof(KernelModel), typeof(Interleavings), typeof(TraceReader)];

    public static TheoryData<Type> Options => [.. s_ofEachAssembly
        .SelectMany(t => t.Assembly.GetExportedTypes())
        .Where(t => t.Name.EndsWith("Options", StringComparison.Ordinal)
            || t.Name.EndsWith("Capabilities", StringComparison.Ordinal))
        .Where(t => t is { IsClass: true, IsAbstract: false } && t.GetConstructor([]) is not null)];

    [Theory, MemberData(nameof(Options))]
    public void Option_ThatMayNotBeNull_RefusesIt(Type type)
    {
        var context = new NullabilityInfoContext();
        var made = Activator.CreateInstance(type);
        type.GetProperties()
            .Where(p => p.SetMethod is { IsPublic: true } && !p.PropertyType.IsValueType
                && context.Create(p).WriteState == NullabilityState.NotNull)
            .Where(p => !Refuses(made!, p))
            .Select(p => $"{type.Name}.{p.Name}").Should().BeEmpty("null is refused by ArgumentNullException");
    }

    private static bool Refuses(object made, PropertyInfo property)
    {
        try
        {
            property.SetValue(made, null);
            return false;
        }
        catch (TargetInvocationException e)
        {
            return e.InnerException is ArgumentNullException refusal && refusal.ParamName == property.Name;
        }
    }
}
