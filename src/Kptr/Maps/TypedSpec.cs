using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>Blueprints of maps whose keys and values are C# structs.</summary>
internal static class TypedSpec
{
    internal static MapSpec Of<TKey, TValue>(KernelCore core, string name, BpfMapType type, uint maxEntries, MapFlags flags)
        where TKey : unmanaged
        where TValue : unmanaged
    {
        ArgumentNullException.ThrowIfNull(core);
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
