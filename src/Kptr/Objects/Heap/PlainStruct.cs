using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>
/// Tells structs of plain bytes from those with a <see cref="Kptr{T}"/>, which may not be made of bytes that
/// anybody chose.
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
                $"{typeof(T).Name} has a kptr field (or, compiled ahead of time, fields that no"
                + " [assembly: ValueStruct] keeps): its bytes cannot be read or written as plain ones", nameof(T));
        }
    }

    // A struct of the core library has a kptr only if a type argument is one.
    [UnconditionalSuppressMessage(
        "Trimming", "IL2070",
        Justification = "where fields may be gone, a struct that shows none is not taken for plain")]
    private static bool IsPlain(Type type)
    {
        if (type.IsPrimitive || type.IsEnum || type.IsPointer || type.IsFunctionPointer)
        {
            return true;
        }

        if (type.Assembly == typeof(object).Assembly)
        {
            return type.GetGenericArguments().All(IsPlain);
        }

        var fields = type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);
        return (fields.Length > 0 || RuntimeFeature.IsDynamicCodeSupported)
            && !(type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Kptr<>))
            && fields.All(f => f.IsDefined(typeof(FixedBufferAttribute)) || IsPlain(f.FieldType));
    }

    private static class Cache<T>
    {
        internal static readonly bool IsPlain = IsPlain(typeof(T));
    }
}
