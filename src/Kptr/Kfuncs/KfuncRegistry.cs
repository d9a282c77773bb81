using System.Collections.Immutable;
using System.Reflection;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>The kfuncs a modelled kernel has: Kptr's own and those that a user declares. Immutable.</summary>
public sealed class KfuncRegistry
{
    private readonly ImmutableArray<KfuncDeclaration> _all;

    private KfuncRegistry(ImmutableArray<KfuncDeclaration> all) => _all = all;

    /// <summary>Every kfunc declared in Kptr, with a body or as a row of the table of those that the model does not run.</summary>
    public static KfuncRegistry Builtin { get; } = new(
        [.. typeof(KfuncRegistry).Assembly.GetTypes().SelectMany(Declared), .. UnmodelledKfuncs.Read()]);

    /// <summary>The declarations, for the table in the documentation.</summary>
    internal ImmutableArray<KfuncDeclaration> All => _all;

    /// <summary>This registry with the <see cref="KfuncAttribute"/> methods of more types; a name declared again replaces the old.</summary>
    /// <param name="declaring">Classes with public or internal static kfunc methods.</param>
    /// <exception cref="ArgumentException">A type declares none, or a method's parameters cannot be bound.</exception>
    public KfuncRegistry With(params Type[] declaring)
    {
        ArgumentNullException.ThrowIfNull(declaring);
        var added = new List<KfuncDeclaration>();
        foreach (var type in declaring)
        {
            var own = Declared(type).ToList();
            if (own.Count == 0)
            {
                throw new ArgumentException($"{type} declares no kfunc", nameof(declaring));
            }

            added.AddRange(own);
        }

        var names = added.Select(d => d.Spec.Name).ToHashSet();
        return new([.. _all.Where(d => !names.Contains(d.Spec.Name)), .. added]);
    }

    /// <summary>What the verifier must know of each kfunc of a kernel, by name.</summary>
    public ImmutableDictionary<string, KfuncSpec> SpecsOf(KernelProfile profile) =>
        Of(profile).ToImmutableDictionary(d => d.Spec.Name, d => profile.TrustsKfuncArgs ? Trusting(d.Spec) : d.Spec);

    /// <summary>Which kfunc destroys the <c>__kptr</c> fields of which kernel struct.</summary>
    public ImmutableDictionary<string, string> DtorsOf(KernelProfile profile) =>
        Of(profile).Where(d => d.DestructorOf is not null).ToImmutableDictionary(d => d.DestructorOf!, d => d.Spec.Name);

    /// <summary>The thunk that runs a kfunc; null where the kernel has no such kfunc or the model no body for it.</summary>
    internal CallThunk? FindBody(string name, KernelProfile profile) =>
        Of(profile).FirstOrDefault(d => d.Spec.Name == name)?.Thunk;

    /// <summary>The declarations that hold for a profile.</summary>
    internal IEnumerable<KfuncDeclaration> Of(KernelProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return _all.Where(d => (d.Spec.Profiles & profile.Member) != 0);
    }

    // An optional buffer may be null; the kernel says so in its name, and a trusted argument may not.
    private static KfuncSpec Trusting(KfuncSpec spec) =>
        (spec.Flags & KfuncFlags.Rcu) != 0 || spec.Prototype.Contains("__opt", StringComparison.Ordinal)
            ? spec : spec with { Flags = spec.Flags | KfuncFlags.TrustedArgs };

    private static IEnumerable<KfuncDeclaration> Declared(Type type) =>
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        from attribute in method.GetCustomAttributes<KfuncAttribute>()
        select KfuncDeclaration.From(method, attribute);
}
