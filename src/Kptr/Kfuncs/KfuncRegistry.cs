using System.Collections.Immutable;
using System.Reflection;
using Kptr.Kfuncs.Generated;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>The kfuncs a modelled kernel has: Kptr's own and those that a user declares. Immutable.</summary>
public sealed class KfuncRegistry
{
    private readonly ImmutableArray<KfuncDeclaration> _all;

    private KfuncRegistry(ImmutableArray<KfuncDeclaration> all) => _all = all;

    /// <summary>
    /// Every kfunc declared in Kptr, with a body or as a row of the table of those that the model does not run.
    /// </summary>
    public static KfuncRegistry Builtin { get; } = new KfuncRegistry(
        [.. KfuncTables.All.SelectMany(t => t.Declarations), .. UnmodelledKfuncs.Read()])
        .With([.. UnmodelledKfuncs.ReadLater()]);

    /// <summary>The declarations, for the table in the documentation.</summary>
    internal ImmutableArray<KfuncDeclaration> All => _all;

    /// <summary>
    /// This registry with the <see cref="KfuncAttribute"/> methods of more types; a name
    /// declared again replaces the old.
    /// </summary>
    /// <param name="declaring">
    /// Classes with public or internal static kfunc methods, compiled with Kptr's source generator,
    /// which the package brings.
    /// </param>
    /// <exception cref="ArgumentException">A type declares none, or the generator did not see it.</exception>
    public KfuncRegistry With(params Type[] declaring)
    {
        ArgumentNullException.ThrowIfNull(declaring);
        RequireNoNull(declaring, nameof(declaring));
        return With([.. declaring.SelectMany(Declared)]);
    }

    /// <summary>
    /// This registry with kfuncs declared by hand; a name declared again replaces the old for the kernels that it is
    /// declared for.
    /// </summary>
    public KfuncRegistry With(params KfuncDeclaration[] declarations)
    {
        ArgumentNullException.ThrowIfNull(declarations);
        RequireNoNull(declarations, nameof(declarations));
        var replaced = declarations.ToLookup(d => d.Spec.Name, d => d.Spec.Profiles);
        return new([
            .. _all.Select(d => d.Without(replaced[d.Spec.Name].Aggregate(ProfileSet.None, (a, b) => a | b)))
                .OfType<KfuncDeclaration>(),
            .. declarations,
        ]);
    }

    /// <summary>
    /// This registry with other code around the body of one kfunc, in all kernels that have it: to count its calls, to
    /// look at what they are given, to make them fail. Flags and prototype stay.
    /// </summary>
    /// <param name="name">The kfunc's name.</param>
    /// <param name="around">Makes the new body of the old one, which it calls or not. Asked once for each body.</param>
    /// <exception cref="ArgumentException">No kfunc of that name has a body.</exception>
    public KfuncRegistry Around(string name, Func<CallThunk, CallThunk> around)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(around);
        return _all.Any(d => d.Spec.Name == name && d.Body is not null)
            ? new([.. _all.Select(d => d.Spec.Name == name ? d.Around(around) : d)])
            : throw new ArgumentException($"no kfunc \"{name}\" has a body", nameof(name));
    }

    /// <summary>What the verifier must know of each kfunc of a kernel, by name.</summary>
    public ImmutableDictionary<string, KfuncSpec> SpecsOf(KernelProfile profile) =>
        Of(profile).ToImmutableDictionary(d => d.Spec.Name, d => OpenIn(profile,
            profile.TrustsKfuncArgs ? Trusting(d.Spec) : d.Spec));

    /// <summary>How many.</summary>
    public override string ToString() => $"{_all.Length} kfuncs";

    /// <summary>Which kfunc destroys the <c>__kptr</c> fields of which kernel struct.</summary>
    /// <exception cref="ArgumentException">Two are declared for one struct.</exception>
    public ImmutableDictionary<string, string> DtorsOf(KernelProfile profile)
    {
        var dtors = ImmutableDictionary.CreateBuilder<string, string>();
        foreach (var declared in Of(profile).Where(d => d.DestructorOf is not null))
        {
            if (!dtors.TryAdd(declared.DestructorOf!, declared.Spec.Name))
            {
                throw new ArgumentException(
                    $"{dtors[declared.DestructorOf!]} and {declared.Spec.Name} are both declared the destructor of "
                    + $"struct {declared.DestructorOf}");
            }
        }

        return dtors.ToImmutable();
    }

    /// <summary>The body of a kfunc; null where the kernel has no such kfunc or the model no body for it.</summary>
    internal CallThunk? FindBody(string name, KernelProfile profile) =>
        Of(profile).FirstOrDefault(d => d.Spec.Name == name)?.Body;

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

    private static KfuncSpec OpenIn(KernelProfile profile, KfuncSpec spec)
    {
        var types = spec.ProgTypes;
        if (types.IsDefaultOrEmpty)
        {
            return spec;
        }

        if (!profile.TracepointsCallKfuncs)
        {
            types = types.RemoveAll(t => t is ProgType.Tracepoint or ProgType.PerfEvent);
        }

        if (profile.WidensKfuncHooks)
        {
            types = types.Contains(ProgType.Tracing) ? types.Add(ProgType.RawTracepoint) : types;
            types = types.Contains(ProgType.CgroupSkb) ? types.Add(ProgType.SockOps) : types;
        }

        // Queueing disciplines have the dynptrs of packets too.
        return profile.WidensKfuncHooks && spec.Name == "bpf_dynptr_from_skb"
            ? spec with { ProgTypes = types.Add(ProgType.StructOps), StructOpsTypes = ["Qdisc_ops"] }
            : spec with { ProgTypes = types };
    }

    private static void RequireNoNull<T>(T[] given, string name)
        where T : class
    {
        if (given.Contains(null))
        {
            throw new ArgumentException("one of them is null", name);
        }
    }

    private static IEnumerable<KfuncDeclaration> Declared(Type type)
    {
        var table = type.Assembly.GetCustomAttributes<KfuncTableAttribute>().FirstOrDefault(t => t.Declaring == type);
        return table?.Declarations ?? throw new ArgumentException(
            $"{type} declares no kfunc, or its assembly was compiled without Kptr's source generator", nameof(type));
    }
}
