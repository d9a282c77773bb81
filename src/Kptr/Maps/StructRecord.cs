using System.Reflection;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Finds the special fields of a C# struct by their types.</summary>
internal static class StructRecord
{
    /// <summary>The record of a struct, fields of nested structs included.</summary>
    /// <exception cref="ArgumentException">Two spin locks.</exception>
    internal static BtfRecord Of<TValue>(KernelSpec kernel)
        where TValue : unmanaged
    {
        var fields = new List<BtfField>();
        Collect(typeof(TValue), 0, "", kernel, fields);
        if (fields.Count(f => f.Kind == BtfFieldKind.SpinLock) > 1)
        {
            throw new ArgumentException($"{typeof(TValue)} has more than one {nameof(BpfSpinLock)}");
        }

        return fields.Count == 0 ? BtfRecord.Empty : new([.. fields.OrderBy(f => f.OffsetBytes)]);
    }

    private static void Collect(Type type, int at, string prefix, KernelSpec kernel, List<BtfField> fields)
    {
        foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            var fieldType = field.FieldType;
            if (fieldType.IsPrimitive || fieldType.IsEnum || fieldType.IsPointer)
            {
                continue;
            }

            var offset = at + OffsetOf(type, field);
            var name = prefix + field.Name;
            if (fieldType == typeof(BpfSpinLock))
            {
                fields.Add(new(BtfFieldKind.SpinLock, name, offset, sizeof(int)));
            }
            else if (fieldType.IsGenericType && fieldType.GetGenericTypeDefinition() == typeof(Kptr<>))
            {
                fields.Add(KptrField(name, offset, fieldType.GetGenericArguments()[0], kernel));
            }
            else
            {
                Collect(fieldType, offset, name + ".", kernel, fields);
            }
        }
    }

    private static BtfField KptrField(string name, int offset, Type pointee, KernelSpec kernel)
    {
        var structName = string.Concat(pointee.Name.Select((c, i) => i > 0 && char.IsUpper(c) ? $"_{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));
        foreach (var candidate in (string[])[structName, "bpf_" + structName])
        {
            if (kernel.Types.Find(candidate, BtfKind.Struct) is { } place)
            {
                return new(BtfFieldKind.KptrRef, name, offset, sizeof(ulong))
                {
                    Pointee = kernel.Types[place],
                    Dtor = kernel.Dtors.GetValueOrDefault(candidate),
                };
            }
        }

        return new(BtfFieldKind.KptrRef, name, offset, sizeof(ulong));
    }

    // Reflection does not tell where a field is in managed memory. So one is filled with ones, and they are looked for.
    private static int OffsetOf(Type type, FieldInfo field)
    {
        var owner = RuntimeHelpers.GetUninitializedObject(type);
        var value = RuntimeHelpers.GetUninitializedObject(field.FieldType);
        BytesOf(value).Fill(0xff);
        field.SetValue(owner, value);
        return BytesOf(owner).IndexOf((byte)0xff);
    }

    private static Span<byte> BytesOf(object boxed) =>
        System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref Unsafe.As<Box>(boxed).First, SizeOf(boxed.GetType()));

    private static int SizeOf(Type type) => (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private sealed class Box
    {
#pragma warning disable CS0649 // stands for the first byte of whatever is boxed
        internal byte First;
#pragma warning restore CS0649
    }
}
