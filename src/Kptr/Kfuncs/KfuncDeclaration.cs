using System.Reflection;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>One kfunc as declared: the blueprint for the verifier and, where there is one, the body.</summary>
internal sealed class KfuncDeclaration
{
    private readonly Lazy<CallThunk?> _thunk;

    internal KfuncDeclaration(KfuncSpec spec, KfuncHooks hooks, MethodInfo? method, string? destructorOf)
    {
        Spec = spec;
        Hooks = hooks;
        Method = method;
        DestructorOf = destructorOf;
        _thunk = new(() => method is null ? null : ThunkBuilder.Build(method));
    }

    internal KfuncSpec Spec { get; }

    internal KfuncHooks Hooks { get; }

    /// <summary>The body; null where the model only knows that the kfunc exists.</summary>
    internal MethodInfo? Method { get; }

    /// <summary>The kernel struct whose kptr fields it destroys, or null.</summary>
    internal string? DestructorOf { get; }

    /// <summary>Runs the body; null where there is none. Built on first use.</summary>
    internal CallThunk? Thunk => _thunk.Value;

    internal static KfuncDeclaration From(MethodInfo method, KfuncAttribute attribute)
    {
        ThunkBuilder.CheckBindable(method);
        var hooks = attribute.Hooks != KfuncHooks.None ? attribute.Hooks
            : method.DeclaringType?.GetCustomAttribute<KfuncSetAttribute>()?.Hooks ?? KfuncHooks.Generic;
        var spec = new KfuncSpec(attribute.Name, attribute.Prototype, attribute.Flags)
        {
            ProgTypes = hooks.ToProgTypes(),
            Profiles = attribute.Profiles,
        };
        return new(spec, hooks, method, attribute.DestructorOf);
    }
}
