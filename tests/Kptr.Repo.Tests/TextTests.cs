using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using Kptr.Testing;
using Kptr.Tracing;

namespace Kptr.Repo.Tests;

/// <summary>What public types of the packages say of themselves is more than the name of a type.</summary>
public class TextTests
{
    private static readonly Assembly[] Packages =
        [typeof(KernelModel).Assembly, typeof(MapConformance).Assembly, typeof(TraceReplay).Assembly];

    private static IEnumerable<Type> Types => Packages.SelectMany(p => p.GetExportedTypes()).Where(
        t => t is { IsEnum: false, IsInterface: false, IsByRefLike: false } && !(t.IsAbstract && t.IsSealed)
            && !typeof(Delegate).IsAssignableFrom(t) && !typeof(Attribute).IsAssignableFrom(t));

    [Fact]
    public void EveryType_HasATextOfItsOwn() => Types
        .Where(t => !t.IsAbstract && (TextOf(t).DeclaringType == typeof(object)
            || TextOf(t).DeclaringType == typeof(ValueType)))
        .Should().BeEmpty();

    // The text that the compiler makes for a record shows a list, or a delegate, as the name of its type.
    [Fact]
    public void TextsMadeByTheCompiler_ShowNoLists() => Types
        .Where(t => TextOf(t).IsDefined(typeof(CompilerGeneratedAttribute)))
        .SelectMany(t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(ShowsItsType)
            .Select(p => $"{t.Name}.{p.Name}"))
        .Should().BeEmpty();

    private static MethodInfo TextOf(Type type) => type.GetMethod(nameof(ToString), Type.EmptyTypes)!;

    private static bool ShowsItsType(PropertyInfo property) => property.PropertyType is var t && t != typeof(string)
        && (typeof(IEnumerable).IsAssignableFrom(t) || typeof(Delegate).IsAssignableFrom(t));
}
