using System.Collections.Concurrent;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Kernels to load programs into: the one Kptr declares itself, or a real one's types with Kptr's kfuncs.
/// </summary>
/// <remarks>
/// The built-in kernel has the types that the model keeps alive, in an order of its own, and one function for each
/// declared kfunc: CO-RE relocations find every field by name. Contexts have the user ABI's exact layout.
/// </remarks>
public static class BuiltinKernel
{
    private static readonly string[] s_headers =
        ["base.h", "task.h", "cgroup.h", "fs.h", "net.h", "bpf.h", "contexts.h", "hooks.h"];

    private const int TypesKept = 64;

    private static readonly ConcurrentDictionary<KernelProfile, KernelSpec> s_specs = new();

    // By the declarations behind the headers; as long as a kernel has them.
    private static readonly ConcurrentDictionary<string, WeakReference<KernelTypes>> s_types = new();

    /// <summary>The built-in kernel of a version.</summary>
    public static KernelSpec Spec(KernelProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return s_specs.GetOrAdd(profile, p => Spec(p, KfuncRegistry.Builtin));
    }

    /// <summary>The built-in kernel with kfuncs and types of the user's own.</summary>
    /// <param name="profile">The version.</param>
    /// <param name="kfuncs">The kfuncs it has.</param>
    /// <param name="declarations">C declarations of more types, after the built-in ones.</param>
    /// <exception cref="Diagnostics.DiagnosticException">The declarations or a prototype cannot be parsed.</exception>
    public static KernelSpec Spec(KernelProfile profile, KfuncRegistry kfuncs, string declarations = "")
    {
        ArgumentNullException.ThrowIfNull(kfuncs);
        var prototypes = kfuncs.Of(profile).Where(d => d.Spec.Module is null && d.Spec.Prototype.Length > 0)
            .Select(d => d.Spec.Prototype).ToList();
        if (!ReferenceEquals(kfuncs, KfuncRegistry.Builtin))
        {
            // What is declared again stands last: in one order, the same declarations are the same text.
            prototypes.Sort(StringComparer.Ordinal);
        }

        return Spec(profile, TypesOf($"{declarations}\n{string.Join(";\n", prototypes)};\n"), kfuncs);
    }

    // Tests boot many kernels with the same declarations, and to parse them takes longer than the rest of a boot.
    private static KernelTypes TypesOf(string declarations)
    {
        if (s_types.TryGetValue(declarations, out var kept) && kept.TryGetTarget(out var known))
        {
            return known;
        }

        if (s_types.Count >= TypesKept)
        {
            s_types.Clear();
        }

        var text = string.Concat([.. s_headers.Select(EmbeddedText.Read), declarations]);
        var types = new KernelTypes(CDeclParser.Parse(text, "vmlinux"))
        {
            HasUndescribedStruct = StructNames.Contains,
        };
        s_types[declarations] = new(types);
        return types;
    }

    /// <summary>A kernel with the types of a real one (its <c>vmlinux</c> BTF and modules).</summary>
    public static KernelSpec Spec(KernelProfile profile, KernelTypes types, KfuncRegistry? kfuncs = null)
    {
        kfuncs ??= KfuncRegistry.Builtin;
        return new(profile, types) { Kfuncs = kfuncs.SpecsOf(profile), Dtors = kfuncs.DtorsOf(profile) };
    }
}
