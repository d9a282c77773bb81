using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Blueprints of maps whose keys and values are C# structs.</summary>
public static class StructSpec
{
    /// <summary>Makes the blueprint of a map type, its special fields found by their C# types.</summary>
    /// <param name="core">The kernel, whose types the kptrs point to.</param>
    /// <param name="name">Name of the map.</param>
    /// <param name="type">Which type programs take it for.</param>
    /// <param name="maxEntries">Capacity.</param>
    /// <param name="flags">Creation flags.</param>
    /// <typeparam name="TKey">The key.</typeparam>
    /// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> and <see cref="BpfSpinLock"/> fields are the
    /// special fields.</typeparam>
    /// <exception cref="MapCreateException">The kernel would refuse it.</exception>
    /// <exception cref="ArgumentException"> The key has a kptr; the value two spin locks, or more special fields than
    /// the kernel takes; one that is not aligned or shares bytes with another field. </exception>
    /// <exception cref="NotSupportedException"> Compiled ahead of time, the fields of a struct inside the value are
    /// unknown: see <see cref="ValueStructAttribute"/>. </exception>
    public static MapSpec Of<TKey, [DynamicallyAccessedMembers(StructFields.Kept)] TValue>(
        KernelCore core, string name, BpfMapType type, uint maxEntries, MapFlags flags = MapFlags.None)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        ArgumentNullException.ThrowIfNull(core);
        PlainStruct.Check<TKey>();
        var spec = new MapSpec(name, type)
        {
            KeySize = Unsafe.SizeOf<TKey>(),
            ValueSize = Unsafe.SizeOf<TValue>(),
            MaxEntries = maxEntries,
            Flags = flags,
            Record = StructRecord.Of<TValue>(core.Spec),
        };
        var err = MapRules.Check(spec, core.Spec.Profile);
        return err == Errno.None ? spec : throw new MapCreateException(spec, err);
    }
}
