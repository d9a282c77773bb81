using System.Collections.Concurrent;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing;

/// <summary>How often destructor kfuncs were called in one kernel, by the address of the object.</summary>
internal sealed class DestructorBook
{
    private readonly ConcurrentDictionary<ulong, int> _calls = new();

    /// <summary>The one of a kernel.</summary>
    internal static DestructorBook Of(KernelCore kernel) => kernel.Single(static _ => new DestructorBook());

    /// <summary>Destructors of types that Kptr itself has none for, by the struct's name.</summary>
    internal static IEnumerable<KeyValuePair<string, string>> OwnOf(KernelSpec kernel)
    {
        var builtin = KfuncRegistry.Builtin.DtorsOf(kernel.Profile);
        return kernel.Dtors.Where(d => !builtin.ContainsKey(d.Key));
    }

    /// <summary>A registry whose kfuncs of these names write down their calls.</summary>
    internal static KfuncRegistry Around(KfuncRegistry kfuncs, IEnumerable<string> names) =>
        names.Aggregate(kfuncs, (registry, name) => registry.Around(name, static body =>
            (ctx, obj, r2, r3, r4, r5) =>
            {
                Of(ctx.Core)._calls.AddOrUpdate(obj, 1, static (_, calls) => calls + 1);
                return body(ctx, obj, r2, r3, r4, r5);
            }));

    internal int CallsOf(ulong address) => _calls.GetValueOrDefault(address);

    /// <summary>Begins anew: objects to come may lie where others lay.</summary>
    internal void Clear() => _calls.Clear();
}
