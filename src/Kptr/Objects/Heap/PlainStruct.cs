using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Kptr.Objects;

/// <summary>
/// Tells structs of plain bytes from those with a <see cref="Kptr{T}"/>, which may not be made of
/// bytes that anybody chose.
/// </summary>
internal static class PlainStruct
{
    /// <summary>Whether there is no kptr in the struct.</summary>
    internal static bool Is<T>()
        where T : unmanaged => Cache<T>.IsPlain;

    /// <summary>Throws when there is one.</summary>
    /// <exception cref="ArgumentException">There is.</exception>
    internal static void Check<T>()
        where T : unmanaged
    {
        if (!Cache<T>.IsPlain)
        {
            throw new ArgumentException(
                $"{typeof(T).Name} has a kptr field: its bytes cannot be read or written as plain ones", nameof(T));
        }
    }

    // Ahead of time a field that nobody asked for may be unknown; whoever makes a map of such a
    // struct asks for its fields.
    [UnconditionalSuppressMessage("Trimming", "IL2070",
        Justification = "a struct that can be read or written keeps its fields, if not their names")]
    [UnconditionalSuppressMessage("Trimming", "IL2075",
        Justification = "a struct that can be read or written keeps its fields, if not their names")]
    private static bool IsPlain(Type type) =>
        !(type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Kptr<>))
        && (type.IsPrimitive || type.IsEnum || type.IsPointer || type.IsFunctionPointer
            || type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).All(
                f => IsPlain(f.FieldType)));

    private static class Cache<T>
    {
        internal static readonly bool IsPlain = IsPlain(typeof(T));
    }
}
