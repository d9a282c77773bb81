using System.Runtime.CompilerServices;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing.ObjectScripts;

/// <summary>A map's value that keeps an object.</summary>
internal struct Held<T>
    where T : KernelObject
{
    public Kptr<T> Slot;
}

/// <summary>What scripts do with such values.</summary>
internal static unsafe class HeldSlots
{
    /// <summary>Moves a reference into the value of a key, as a program does, and hands out the old one.</summary>
    /// <remarks>Where the key is not there, the reference comes back.</remarks>
    internal static KernelRef<T>? Exchange<T>(BpfMap map, int key, KernelRef<T>? next)
        where T : KernelObject
    {
        using var reader = map.Core.Rcu.ReadLock();
        var at = map.ProgLookup(BitConverter.GetBytes(key), 0);
        return at == 0 ? next : Unsafe.AsRef<Held<T>>((void*)at).Slot.Exchange(next);
    }
}
