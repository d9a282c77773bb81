using System.Diagnostics.CodeAnalysis;

namespace Kptr.Maps;

/// <summary>
/// Keeps the fields of a struct that lies inside other structs known where code is trimmed or compiled ahead of time,
/// so that a map finds the kptrs in it.
/// </summary>
/// <remarks>
/// Kptr's source generator writes these for the structs of an assembly. By hand only where it cannot: a private
/// struct, or one whose type arguments are known at the use alone. A map refuses values with such a struct
/// where its fields may be gone.
/// </remarks>
/// <param name="type">The struct that is a field of another.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class ValueStructAttribute(
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields
        | DynamicallyAccessedMemberTypes.NonPublicFields)] Type type)
    : Attribute
{
    /// <summary>The struct that is a field of another.</summary>
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields
        | DynamicallyAccessedMemberTypes.NonPublicFields)]
    public Type Type { get; } = type;
}
