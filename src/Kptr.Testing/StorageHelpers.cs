using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Testing;

/// <summary>What programs call a local storage map by: <c>bpf_task_storage_get</c> and its siblings.</summary>
/// <param name="get">Finds an owner's value, or makes one where the last argument says so; its address, or 0.</param>
/// <param name="delete">Deletes an owner's value.</param>
public sealed class StorageHelpers(
    Func<BpfMap, KernelObject, bool, ulong> get, Func<BpfMap, KernelObject, Errno> delete)
{
    /// <summary>Those of Kptr's own storage.</summary>
    public static StorageHelpers Builtin { get; } = new(
        static (map, owner, create) => ((LocalStorageMap)map).Get(owner, create: create),
        static (map, owner) => ((LocalStorageMap)map).Delete(owner));

    internal Func<BpfMap, KernelObject, bool, ulong> Get { get; } = get;

    internal Func<BpfMap, KernelObject, Errno> Delete { get; } = delete;

    /// <summary>The same by key, for maps whose helpers do nothing else.</summary>
    internal static StorageHelpers ByKey(Func<KernelObject, byte[]> keyOf) => new(
        (map, owner, create) =>
        {
            var found = map.ProgLookup(keyOf(owner), 0);
            return found != 0 || !create
                || map.ProgUpdate(keyOf(owner), new byte[map.ValueSize], MapUpdateFlags.NoExist, 0) != Errno.None
                ? found : map.ProgLookup(keyOf(owner), 0);
        },
        (map, owner) => map.ProgDelete(keyOf(owner), 0));

    /// <inheritdoc/>
    public override string ToString() => "the helpers of a local storage map";
}
