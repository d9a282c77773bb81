using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>One kfunc: what the verifier reads and the body that the machine runs.</summary>
/// <remarks>
/// Kptr's source generator makes these of methods with <see cref="KfuncAttribute"/>. Where it does not run (another
/// language, a body that is no static method), they are made by hand and given to
/// <see cref="KfuncRegistry.With(KfuncDeclaration[])"/>.
/// </remarks>
public sealed class KfuncDeclaration
{
    /// <summary>Declares a kfunc by its parts.</summary>
    /// <param name="declared">Name, flags, prototype and the rest. No hooks mean the generic set.</param>
    /// <param name="body">What a call runs; it takes and gives references with <see cref="ProgContext.TakeRef{T}"/> and
    /// <see cref="ProgContext.GiveRef{T}"/>.</param>
    /// <exception cref="ArgumentException">It has no name or no prototype, not even an empty one.</exception>
    public KfuncDeclaration(KfuncAttribute declared, CallThunk body)
    {
        ArgumentNullException.ThrowIfNull(declared);
        ArgumentException.ThrowIfNullOrEmpty(declared.Name, nameof(declared));
        ArgumentNullException.ThrowIfNull(declared.Prototype, nameof(declared));
        ArgumentNullException.ThrowIfNull(body);
        Hooks = declared.Hooks == KfuncHooks.None ? KfuncHooks.Generic : declared.Hooks;
        Spec = new(declared.Name, declared.Prototype, declared.Flags) { ProgTypes = Hooks.ToProgTypes(), Profiles =
            declared.Profiles };
        DestructorOf = declared.DestructorOf;
        Body = body;
    }

    internal KfuncDeclaration(KfuncSpec spec, KfuncHooks hooks, string? destructorOf)
    {
        Spec = spec;
        Hooks = hooks;
        DestructorOf = destructorOf;
    }

    /// <summary>The blueprint for the verifier.</summary>
    public KfuncSpec Spec { get; }

    /// <summary>The name.</summary>
    public override string ToString() => Spec.ToString();

    /// <summary>The kernel struct whose kptr fields it destroys, or null.</summary>
    public string? DestructorOf { get; }

    internal KfuncHooks Hooks { get; }

    /// <summary>This declaration for the other kernels; null where there are none.</summary>
    internal KfuncDeclaration? Without(ProfileSet profiles) => (Spec.Profiles & profiles) == 0 ? this
        : (Spec.Profiles & ~profiles) is var left and not ProfileSet.None
            ? new(Spec with { Profiles = left }, Hooks, DestructorOf) { Body = Body }
            : null;

    /// <summary>This declaration with another body around its own; itself where it has none.</summary>
    internal KfuncDeclaration Around(Func<CallThunk, CallThunk> around) => Body is not { } body ? this
        : new(Spec, Hooks, DestructorOf) { Body = around(body) ?? throw new ArgumentNullException(nameof(around)) };

    /// <summary>Runs the kfunc; null where the model only knows that it exists.</summary>
    internal CallThunk? Body { get; private init; }
}
