namespace Kptr.Kfuncs;

/// <summary>
/// Says of a class where its kfuncs may be called from, unless one says otherwise: what Linux registers as one set.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class KfuncSetAttribute : Attribute
{
    /// <summary>Declares the set.</summary>
    /// <param name="hooks">Where its kfuncs may be called from.</param>
    public KfuncSetAttribute(KfuncHooks hooks)
    {
        Hooks = hooks;
    }

    /// <summary>The hooks.</summary>
    public override string ToString() => $"kfuncs of {Hooks}";

    /// <summary>Where its kfuncs may be called from.</summary>
    public KfuncHooks Hooks { get; }
}
