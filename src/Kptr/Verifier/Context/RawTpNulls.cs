using System.Collections.Frozen;
using System.Globalization;

namespace Kptr.Verifier;

/// <summary>Tracepoint arguments that are null, or an error instead of a pointer, at times.</summary>
/// <remarks>
/// A digit of the mask per argument, lowest first: bit 0 null, bit 1 error. Kernel: <c>raw_tp_null_args</c>
/// (kernel/bpf/btf.c, 6.12.y).
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

    /// <summary>Whether the tracepoint's arguments are known, and which of them may be null or errors.</summary>
    public static bool TryFind(string tracepoint, out ulong mask) => Masks.TryGetValue(tracepoint, out mask);

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
