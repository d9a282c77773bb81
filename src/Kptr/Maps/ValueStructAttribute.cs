using System.Diagnostics.CodeAnalysis;

namespace Kptr.Maps;

/// <summary>
/// Keeps the fields of a struct known where code is trimmed or compiled ahead of time, so that the kptrs in
/// it are found.
/// </summary>
/// <remarks>
/// Kptr's source generator writes these for the structs of an assembly. By hand only where it cannot: a private
/// struct, or one whose type arguments are known at the use alone. Where fields may be gone, a map refuses values with
/// a struct inside that nobody named, and no bytes are read as one.
/// </remarks>
/// <param name="type">The struct.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class ValueStructAttribute([DynamicallyAccessedMembers(StructFields.Kept)] Type type) : Attribute
{
    /// <summary>The struct's name.</summary>
    public override string ToString() => $"map value {Type.Name}";

    /// <summary>The struct.</summary>
    [DynamicallyAccessedMembers(StructFields.Kept)]
    public Type Type { get; } = type;
}
