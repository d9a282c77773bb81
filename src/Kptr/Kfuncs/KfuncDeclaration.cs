using System.Reflection;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>One kfunc as declared: the blueprint for the verifier and, where there is one, the body.</summary>
internal sealed class KfuncDeclaration
{
    internal KfuncDeclaration(KfuncSpec spec, KfuncHooks hooks, MethodInfo? method, string? destructorOf)
    {
        Spec = spec;
        Hooks = hooks;
        Method = method;
        DestructorOf = destructorOf;
    }

    internal KfuncSpec Spec { get; }

    internal KfuncHooks Hooks { get; }

    /// <summary>The body; null where the model only knows that the kfunc exists.</summary>
    internal MethodInfo? Method { get; }

    /// <summary>The kernel struct whose kptr fields it destroys, or null.</summary>
    internal string? DestructorOf { get; }

    internal static KfuncDeclaration From(MethodInfo method, KfuncAttribute attribute)
    {
        var spec = new KfuncSpec(attribute.Name, attribute.Prototype, attribute.Flags)
        {
            ProgTypes = attribute.Hooks.ToProgTypes(),
            Profiles = attribute.Profiles,
        };
        return new(spec, attribute.Hooks, method, attribute.DestructorOf);
    }
}
