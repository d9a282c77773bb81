using System.Collections.Frozen;
using Kptr.Specs;

namespace Kptr.Verifier;

/// <summary>Which helpers work on which map types: pairs that need each other.</summary>
/// <remarks>
/// Kernel: <c>check_map_func_compatibility</c>, 6.12. A map type or a helper that is in neither table goes with all.
/// </remarks>
internal static class MapCompat
{
    private static readonly FrozenDictionary<BpfMapType, HelperId[]> HelpersOf = new Dictionary<BpfMapType, HelperId[]>
    {
        [BpfMapType.ProgArray] = [HelperId.TailCall],
        [BpfMapType.PerfEventArray] =
            [
                HelperId.PerfEventRead, HelperId.PerfEventOutput, HelperId.SkbOutput,
                HelperId.PerfEventReadValue, HelperId.XdpOutput,
            ],
        [BpfMapType.Ringbuf] =
        [
            HelperId.RingbufOutput, HelperId.RingbufReserve, HelperId.RingbufQuery, HelperId.RingbufReserveDynptr,
            HelperId.RingbufSubmitDynptr, HelperId.RingbufDiscardDynptr,
        ],
        [BpfMapType.UserRingbuf] = [HelperId.UserRingbufDrain],
        [BpfMapType.StackTrace] = [HelperId.GetStackid],
        [BpfMapType.CgroupArray] = [HelperId.SkbUnderCgroup, HelperId.CurrentTaskUnderCgroup],
        [BpfMapType.CgroupStorage] = [HelperId.GetLocalStorage],
        [BpfMapType.PercpuCgroupStorage] = [HelperId.GetLocalStorage],
        [BpfMapType.Devmap] = [HelperId.RedirectMap, HelperId.MapLookupElem],
        [BpfMapType.DevmapHash] = [HelperId.RedirectMap, HelperId.MapLookupElem],
        [BpfMapType.Cpumap] = [HelperId.RedirectMap],
        [BpfMapType.Xskmap] = [HelperId.RedirectMap, HelperId.MapLookupElem],
        [BpfMapType.ArrayOfMaps] = [HelperId.MapLookupElem],
        [BpfMapType.HashOfMaps] = [HelperId.MapLookupElem],
        [BpfMapType.Sockmap] =
            [
                HelperId.SkRedirectMap, HelperId.SockMapUpdate, HelperId.MsgRedirectMap, HelperId.SkSelectReuseport,
                HelperId.MapLookupElem,
            ],
        [BpfMapType.Sockhash] =
            [
                HelperId.SkRedirectHash, HelperId.SockHashUpdate, HelperId.MsgRedirectHash, HelperId.SkSelectReuseport,
                HelperId.MapLookupElem,
            ],
        [BpfMapType.ReuseportSockarray] = [HelperId.SkSelectReuseport],
        [BpfMapType.Queue] = [HelperId.MapPeekElem, HelperId.MapPopElem, HelperId.MapPushElem],
        [BpfMapType.Stack] = [HelperId.MapPeekElem, HelperId.MapPopElem, HelperId.MapPushElem],
        [BpfMapType.SkStorage] = [HelperId.SkStorageGet, HelperId.SkStorageDelete, HelperId.KptrXchg],
        [BpfMapType.InodeStorage] = [HelperId.InodeStorageGet, HelperId.InodeStorageDelete, HelperId.KptrXchg],
        [BpfMapType.TaskStorage] = [HelperId.TaskStorageGet, HelperId.TaskStorageDelete, HelperId.KptrXchg],
        [BpfMapType.CgrpStorage] = [HelperId.CgrpStorageGet, HelperId.CgrpStorageDelete, HelperId.KptrXchg],
        [BpfMapType.BloomFilter] = [HelperId.MapPeekElem, HelperId.MapPushElem],
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<HelperId, BpfMapType[]> MapsOf = HelpersOf
        .SelectMany(m => m.Value, (m, helper) => (Map: m.Key, Helper: helper))
        .Where(p => p.Helper is not (HelperId.MapLookupElem or HelperId.KptrXchg))
        .Append((Map: BpfMapType.PercpuArray, Helper: HelperId.MapLookupPercpuElem))
        .Append((Map: BpfMapType.PercpuHash, Helper: HelperId.MapLookupPercpuElem))
        .Append((Map: BpfMapType.LruPercpuHash, Helper: HelperId.MapLookupPercpuElem))
        .GroupBy(p => p.Helper, p => p.Map).ToFrozenDictionary(g => g.Key, g => g.ToArray());

    /// <summary>
    /// Whether a program may pass such a map to the helper; updates of socket maps are judged elsewhere.
    /// </summary>
    public static bool Fits(BpfMapType map, HelperId helper) =>
        (!HelpersOf.TryGetValue(map, out var helpers) || Array.IndexOf(helpers, helper) >= 0)
        && (!MapsOf.TryGetValue(helper, out var maps) || Array.IndexOf(maps, map) >= 0);
}
