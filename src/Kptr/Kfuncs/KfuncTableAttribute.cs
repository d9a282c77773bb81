namespace Kptr.Kfuncs;

/// <summary>
/// The kfuncs of one class, hung on its assembly by Kptr's source generator; nobody writes one by hand.
/// </summary>
/// <param name="declaring">The class with <see cref="KfuncAttribute"/> methods.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public abstract class KfuncTableAttribute(Type declaring) : Attribute
{
    /// <summary>The class with <see cref="KfuncAttribute"/> methods.</summary>
    public Type Declaring { get; } = declaring;

    /// <summary>The class that declares them.</summary>
    public override string ToString() => $"kfuncs of class {Declaring.Name}";

    /// <summary>Its kfuncs, made anew at each look.</summary>
    public abstract IEnumerable<KfuncDeclaration> Declarations { get; }
}
