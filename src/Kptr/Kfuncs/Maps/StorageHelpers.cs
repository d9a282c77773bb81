using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Local storage of tasks, cgroups and sockets. Kernel: kernel/bpf/bpf_local_storage.c and its users, 6.12.
/// </summary>
internal static class StorageHelpers
{
    private const ulong Create = 1;

    /// <summary>The socket may be the context of the program itself.</summary>
    [Helper(HelperId.SkStorageGet)]
    internal static ulong GetOfSock(ProgContext ctx, ulong map, ulong sock, ulong initial, ulong flags) =>
        Get(ctx, map, SockHelpers.SocketOf(ctx, sock), initial, flags);

    [Helper(HelperId.TaskStorageGet, HelperId.CgrpStorageGet, HelperId.InodeStorageGet)]
    internal static ulong Get(ProgContext ctx, ulong map, KernelObject? owner, ulong initial, ulong flags)
    {
        var storage = StorageAt(ctx, map);
        if ((flags & ~Create) != 0 || owner is null)
        {
            return 0;
        }

        var isCreate = (flags & Create) != 0;
        return isCreate && initial != 0
            ? storage.Get(owner, ctx.Memory(initial, storage.ValueSize, isWrite: false), isCreate)
            : storage.Get(owner, default, isCreate);
    }

    [Helper(HelperId.TaskStorageDelete, HelperId.CgrpStorageDelete, HelperId.SkStorageDelete,
        HelperId.InodeStorageDelete)]
    internal static Errno Delete(ProgContext ctx, ulong map, KernelObject? owner) =>
        owner is null ? Errno.EINVAL : StorageAt(ctx, map).Delete(owner);

    /// <summary>The value of this run, see <see cref="CgroupStorageMap"/>.</summary>
    [Helper(HelperId.GetLocalStorage)]
    internal static ulong OfRun(ProgContext ctx, ulong map, ulong flags)
    {
        _ = flags;
        return ctx.ValueOfRun(ctx.MapAt(map) as CgroupStorageMap ?? throw new ProgramFaultException(
            DiagCode.CallBadObject, $"the map at {map:x} is no storage of cgroups"));
    }

    private static LocalStorageMap StorageAt(ProgContext ctx, ulong map) => ctx.MapAt(map) as LocalStorageMap
        ?? throw new ProgramFaultException(DiagCode.CallBadObject, $"the map at {map:x} is no local storage");
}
