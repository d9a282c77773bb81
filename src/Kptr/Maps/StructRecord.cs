using System.Diagnostics.CodeAnalysis;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Finds the special fields of a C# struct by their types.</summary>
internal static class StructRecord
{
    /// <summary>The record of a struct, fields of structs and inline arrays inside it included.</summary>
    /// <exception cref="ArgumentException">Two spin locks; too many special fields; a special field that is not
    /// aligned, or shares bytes with another field.</exception>
    /// <exception cref="NotSupportedException">The fields of a struct inside it may be gone from the
    /// compiled program.</exception>
    internal static BtfRecord Of<[DynamicallyAccessedMembers(StructFields.Kept)] TValue>(KernelSpec kernel)
        where TValue : unmanaged
    {
        var all = StructFields.Of<TValue>();
        var special = all.Where(f => f.IsSpecial).OrderBy(f => f.OffsetBytes).ToList();
        if (special.Count(f => f.Type == typeof(BpfSpinLock)) > 1)
        {
            throw new ArgumentException($"{typeof(TValue)} has more than one {nameof(BpfSpinLock)}");
        }

        if (special.Count > kernel.Profile.RecordRules.FieldsMax)
        {
            throw new ArgumentException(
                $"{typeof(TValue)} has {special.Count} special fields; "
                    + $"the kernel takes {kernel.Profile.RecordRules.FieldsMax}");
        }

        foreach (var field in special)
        {
            CheckPlace(typeof(TValue), field, all);
        }

        return special.Count == 0 ? BtfRecord.Empty : new([.. special.Select(f => FieldOf(f, kernel))]);
    }

    // Kernel: btf_find_field_one and btf_parse_fields (kernel/bpf/btf.c, 6.12).
    private static void CheckPlace(Type type, StructField field, IReadOnlyList<StructField> all)
    {
        if (field.OffsetBytes % field.SizeBytes != 0)
        {
            throw new ArgumentException($"{type}.{field.Name} is not aligned to {field.SizeBytes} bytes");
        }

        if (all.FirstOrDefault(other => !ReferenceEquals(other, field) && other.Overlaps(field)) is { } over)
        {
            throw new ArgumentException($"{type}.{field.Name} shares bytes with {over.Name}");
        }
    }

    private static BtfField FieldOf(StructField field, KernelSpec kernel) => field.Type == typeof(BpfSpinLock)
        ? new(BtfFieldKind.SpinLock, field.Name, field.OffsetBytes, sizeof(int))
        : KptrField(field.Name, field.OffsetBytes, field.Type.GetGenericArguments()[0], kernel);

    private static BtfField KptrField(string name, int offset, Type pointee, KernelSpec kernel)
    {
        var structName = string.Concat(pointee.Name.Select(
            (c, i) => i > 0 && char.IsUpper(c) ? $"_{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));
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
}
