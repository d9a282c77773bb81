using Kptr.Maps;

namespace Kptr.Kfuncs;

/// <summary>From a value back to its key.</summary>
internal static class MapKeys
{
    /// <summary>The key that leads to the value at this address; false when none does now.</summary>
    internal static bool TryFind(BpfMap map, ulong value, Span<byte> key)
    {
        foreach (var pool in map.Pools)
        {
            if (pool.TryFind(value, out var slot, out _, out _))
            {
                return map.TryGetKey(pool, slot, key);
            }
        }

        return false;
    }
}
