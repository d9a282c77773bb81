using System.Collections.Frozen;
using System.Globalization;
using Kptr.Specs;

namespace Kptr.Verifier.Context;

/// <summary>Tracepoint arguments that are null, or an error instead of a pointer, at times.</summary>
/// <remarks>
/// A digit of the mask per argument, lowest first: bit 0 null, bit 1 error. Kernel: <c>raw_tp_null_args</c>
/// (kernel/bpf/btf.c, 6.12.y and 7.2).
/// </remarks>
internal static class RawTpNulls
{
    private static readonly FrozenDictionary<string, ulong> Masks = Parse("""
        10: sched_pi_setprio afs_make_fs_call afs_make_fs_calli afs_make_fs_call1 afs_make_fs_call2 afs_flock_ev
        10: ext4_mballoc_discard ext4_mballoc_free posix_lock_inode fcntl_setlk locks_remove_posix flock_lock_inode
        10: break_lease_noblock break_lease_block break_lease_unblock generic_delete_lease time_out_leases
        10: mm_khugepaged_scan_pmd mm_khugepaged_scan_file mm_khugepaged_collapse_file netfs_failure
        10: device_pm_callback_start rxrpc_resend xprt_reserve_cong xprt_release_cong xprt_get_cong xprt_put_cong
        10: writeback_dirty_folio folio_wait_writeback
        1: sched_process_wait afs_protocol_error cachefiles_unlink cachefiles_rename cachefiles_prep_read
        1: cachefiles_mark_active cachefiles_mark_failed cachefiles_mark_inactive cachefiles_vfs_error
        1: cachefiles_io_error cachefiles_ondemand_open cachefiles_ondemand_copen cachefiles_ondemand_close
        1: cachefiles_ondemand_read cachefiles_ondemand_cread cachefiles_ondemand_fd_write
        1: cachefiles_ondemand_fd_release mm_collapse_huge_page_isolate mm_page_alloc mm_page_pcpu_drain
        1: mm_page_alloc_zone_locked rxrpc_recvdata xs_stream_read_data tmigr_update_events
        100: sched_stick_numa sched_swap_numa fib_table_lookup tegra_dma_tx_status
        201: cachefiles_lookup
        10000: host1x_cdma_push_gather
        1000: qdisc_dequeue kfree_skb
        20: signal_generate signal_deliver
        11: tcp_send_reset
        2000: mr_integ_alloc
        0: bpf_testmod_test_read
        """);

    private static readonly FrozenDictionary<string, ulong> LateMasks = Parse("""
        1: amdgpu_vm_bo_map amdgpu_vm_bo_unmap netfs_folioq nfs4_setup_sequence nfsd_dirent nfsd_file_cons_err
        1: nfsd_file_insert_err rxrpc_client xfs_blockgc_flush_all xfs_blockgc_start xfs_blockgc_stop
        1: xfs_blockgc_worker xfs_defer_add_item xfs_defer_cancel_item xfs_defer_cancel_list xfs_defer_create_intent
        1: xfs_defer_finish_item xfs_defer_isolate_paused xfs_defer_item_pause xfs_defer_item_unpause
        1: xfs_defer_pending_abort xfs_defer_pending_finish xfs_defer_relog_intent xfs_fs_sync_fs xfs_inodegc_flush
        1: xfs_inodegc_push xfs_inodegc_queue xfs_inodegc_start xfs_inodegc_stop xfs_inodegc_throttle
        10: coda_dec_pic_done coda_dec_pic_run hugetlbfs_alloc_inode neigh_update rdev_set_coalesce rxrpc_tq
        10: spufs_context wiphy_work_cancel wiphy_work_flush wiphy_work_queue wiphy_work_run xchk_nlinks_live_update
        10: xfs_blockgc_free_space xfs_ioc_free_eofblocks
        11: cfg80211_scan_done
        100: amdtp_packet binder_transaction btree_path_free cfg80211_inform_bss_frame cfg80211_report_wowlan_wakeup
        100: dpu_crtc_setup_mixer kvm_page_fault_enter tcp_sendmsg_locked xchk_metapath_lookup
        100: xfs_btree_overlapped_query_range xfs_btree_updkeys
        200: nfs4_inode_callback_event nfs4_inode_stateid_callback_event
        1000: hfi1_sdma_progress iptfs_ingress_postq_event xfs_iomap_alloc xfs_iomap_found
        1001: nfsd_file_acquire
        10000: cfg80211_michael_mic_failure pnfs_mds_fallback_pg_get_mirror_count pnfs_mds_fallback_pg_init_read
        10000: pnfs_mds_fallback_pg_init_write pnfs_mds_fallback_read_done pnfs_mds_fallback_read_pagelist
        10000: pnfs_mds_fallback_write_done pnfs_mds_fallback_write_pagelist pnfs_update_layout xfs_map_blocks_alloc
        10000: xfs_map_blocks_found
        """);

    /// <summary>Whether the tracepoint's arguments are known, and which of them may be null or errors.</summary>
    public static bool TryFind(KernelProfile profile, string tracepoint, out ulong mask) =>
        Masks.TryGetValue(tracepoint, out mask)
        || (profile.KnowsLateNullTracepointArgs && LateMasks.TryGetValue(tracepoint, out mask));

    private static FrozenDictionary<string, ulong> Parse(string table)
    {
        var masks = new Dictionary<string, ulong>();
        foreach (var line in table.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split(':');
            var mask = ulong.Parse(parts[0].Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            foreach (var name in parts[1].Split([' ', '\r'], StringSplitOptions.RemoveEmptyEntries))
            {
                masks.Add(name, mask);
            }
        }

        return masks.ToFrozenDictionary();
    }
}
