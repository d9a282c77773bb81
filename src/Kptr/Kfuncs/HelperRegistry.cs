using System.Collections.Frozen;
using System.Reflection;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>From a helper's number to its body.</summary>
internal static class HelperRegistry
{
    private static readonly FrozenDictionary<HelperId, Lazy<CallThunk>> s_bodies = Declared().ToFrozenDictionary(
        d => d.Id, d => new Lazy<CallThunk>(() => ThunkBuilder.Build(d.Method)));

    /// <summary>Helpers that have a body.</summary>
    internal static IEnumerable<HelperId> Ids => s_bodies.Keys;

    /// <summary>The thunk that runs a helper; null where the model has no body for it.</summary>
    internal static CallThunk? FindBody(HelperId id) => s_bodies.GetValueOrDefault(id)?.Value;

    private static IEnumerable<(HelperId Id, MethodInfo Method)> Declared() =>
        from type in typeof(HelperRegistry).Assembly.GetTypes()
        where type.Namespace == typeof(HelperRegistry).Namespace
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        from attribute in method.GetCustomAttributes<HelperAttribute>()
        from id in attribute.Ids
        select (id, method);
}
