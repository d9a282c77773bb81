using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>A field of a C# struct that is no struct to look into: a number, a pointer, a kptr, a lock.</summary>
/// <param name="Name">Its path from the outermost struct.</param>
/// <param name="Type">Its type.</param>
/// <param name="OffsetBytes">Where it lies.</param>
/// <param name="SizeBytes">How long it is.</param>
internal sealed record StructField(string Name, Type Type, int OffsetBytes, int SizeBytes)
{
    internal bool IsSpecial => Type == typeof(BpfSpinLock) || IsKptr(Type);

    internal bool Overlaps(StructField other) =>
        OffsetBytes < other.OffsetBytes + other.SizeBytes && other.OffsetBytes < OffsetBytes + SizeBytes;

    internal static bool IsKptr(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Kptr<>);
}

/// <summary>Finds the fields of C# structs, those of structs and inline arrays inside included.</summary>
/// <param name="isKnownWhole">
/// Whether reflection sees all fields. Where it may not (native AOT), a struct inside another must be named by a
/// <see cref="ValueStructAttribute"/>: a kptr that nobody sees would be copied like a number.
/// </param>
internal sealed class StructFields(bool isKnownWhole)
{
    /// <summary>What a struct must keep to be looked into.</summary>
    internal const DynamicallyAccessedMemberTypes Kept =
        DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields;

    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
    private readonly List<StructField> _leaves = [];

    /// <summary>All fields of a struct, in no order.</summary>
    /// <exception cref="NotSupportedException">The fields of a struct inside it may be gone from the
    /// compiled program.</exception>
    internal static IReadOnlyList<StructField> Of<[DynamicallyAccessedMembers(Kept)] TValue>()
        where TValue : unmanaged => Found<TValue>.Fields ??= Of<TValue>(RuntimeFeature.IsDynamicCodeSupported);

    internal static IReadOnlyList<StructField> Of<[DynamicallyAccessedMembers(Kept)] TValue>(bool isKnownWhole)
        where TValue : unmanaged
    {
        var walk = new StructFields(isKnownWhole);
        if (IsLeaf(typeof(TValue)))
        {
            walk.AddLeaf("", typeof(TValue), 0);
        }
        else
        {
            walk.AddFields(typeof(TValue), default(TValue), 0, "");
        }

        return walk._leaves;
    }

    // Structs of the core library hold nothing of ours, unless a type argument is.
    private static bool IsLeaf(Type type) => type.IsPrimitive || type.IsEnum || type.IsPointer || type.IsFunctionPointer
        || type == typeof(BpfSpinLock) || StructField.IsKptr(type)
        || (!type.IsGenericType && type.Assembly == typeof(object).Assembly);

    private void AddLeaf(string name, Type type, int at) => _leaves.Add(new(name, type, at, SizeOf(type)));

    private void AddFields([DynamicallyAccessedMembers(Kept)] Type type, object owner, int at, string prefix)
    {
        // An inline array has one field and the room for several.
        var count = type.GetCustomAttribute<InlineArrayAttribute>()?.Length;
        foreach (var field in type.GetFields(Instance))
        {
            var offset = count is null ? at + OffsetOf(type, owner, field) : at;
            for (var i = 0; i < (count ?? 1); i++)
            {
                var name = count is null ? $"{prefix}{field.Name}" : $"{prefix.TrimEnd('.')}[{i}]";
                AddField(field, owner, offset + (i * SizeOf(field.FieldType)), name);
            }
        }
    }

    private void AddField(FieldInfo field, object owner, int at, string name)
    {
        var type = field.FieldType;
        if (field.IsDefined(typeof(FixedBufferAttribute)))
        {
            AddLeaf(name, type, at);
        }
        else if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            // Boxed, it is its value or nothing, so its fields cannot be looked for; .NET has them in this order.
            AddLeaf(name + ".hasValue", typeof(bool), at);
            AddInner(underlying, field, Zeroed(underlying), at + ValueOffset(type, underlying), name + ".value");
        }
        else
        {
            AddInner(type, field, field.GetValue(owner)!, at, name);
        }
    }

    [UnconditionalSuppressMessage(
        "Trimming", "IL2067", Justification = "IsKept: a ValueStructAttribute kept the fields, or none can be gone.")]
    private void AddInner(Type type, FieldInfo field, object value, int at, string name)
    {
        if (IsLeaf(type))
        {
            AddLeaf(name, type, at);
            return;
        }

        if (!IsKept(field.DeclaringType!, type))
        {
            throw new NotSupportedException(
                $"{field.DeclaringType}.{field.Name}: compiled ahead of time, "
                    + $"the fields of {type} are unknown unless its assembly"
                + $" says [assembly: ValueStruct(typeof({type.Name}))], "
                + "as Kptr's source generator does for structs not private");
        }

        AddFields(type, value, at, name + ".");
    }

    private bool IsKept(Type declaring, Type type) => isKnownWhole
        || declaring.Assembly.GetCustomAttributes<ValueStructAttribute>().Any(a => a.Type == type);

    // Reflection does not tell where a field is in managed memory. So one is filled with ones, and they are looked for.
    private static int OffsetOf(Type type, object owner, FieldInfo field)
    {
        field.SetValue(owner, Ones(owner, field));
        var bytes = BytesOf(owner, SizeOf(type));
        var offset = bytes.IndexOf((byte)0xff);
        bytes.Clear();
        return Nullable.GetUnderlyingType(field.FieldType) is { } underlying
            ? offset - ValueOffset(field.FieldType, underlying)
            : offset;
    }

    private static object Ones(object owner, FieldInfo field)
    {
        if (field.FieldType.IsPointer || field.FieldType.IsFunctionPointer)
        {
            return (nint)(-1);
        }

        var type = Nullable.GetUnderlyingType(field.FieldType) ?? field.FieldType;
        var value = type == field.FieldType ? field.GetValue(owner)! : Zeroed(type);
        BytesOf(value, SizeOf(type)).Fill(0xff);
        return value;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2067", Justification = "no constructor of it runs")]
    private static object Zeroed(Type type) => RuntimeHelpers.GetUninitializedObject(type);

    private static int ValueOffset(Type nullable, Type underlying) => SizeOf(nullable) - SizeOf(underlying);

    private static Span<byte> BytesOf(object boxed, int size) =>
        MemoryMarshal.CreateSpan(ref Unsafe.As<Box>(boxed).First, size);

    private static int SizeOf(Type type) => RuntimeHelpers.SizeOf(type.TypeHandle);

    private static class Found<TValue>
    {
        internal static volatile IReadOnlyList<StructField>? Fields;
    }

    private sealed class Box
    {
#pragma warning disable CS0649 // stands for the first byte of whatever is boxed
        internal byte First;
#pragma warning restore CS0649
    }
}
