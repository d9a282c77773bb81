using System.Collections.Frozen;

namespace Kptr.Specs;

/// <summary>What Linux says of its LSM hooks; names without <c>bpf_lsm_</c>.</summary>
/// <remarks>Kernel: kernel/bpf/bpf_lsm.c, 7.2, 6.12 and 6.1.</remarks>
internal static class LsmHooks
{
    private const string Prefix = "bpf_lsm_";

    private static readonly FrozenSet<string> Sleepable = SetOf("""
        bpf bpf_map bpf_map_create bpf_map_free bpf_prog bpf_prog_load bpf_token_create bpf_token_free bpf_token_cmd
        bpf_token_capable bprm_check_security bprm_committed_creds bprm_committing_creds bprm_creds_for_exec
        bprm_creds_from_file capget capset cred_prepare file_ioctl file_lock file_open file_post_open file_receive
        inode_create inode_free_security inode_getattr inode_getxattr inode_mknod inode_need_killpriv
        inode_post_setxattr inode_readlink inode_rename inode_rmdir inode_setattr inode_setxattr inode_symlink
        inode_unlink kernel_module_request kernel_read_file kernfs_init_security path_unlink path_mkdir path_rmdir
        path_truncate path_symlink path_link path_rename path_chmod path_chown mmap_file netlink_send path_notify
        release_secctx sb_alloc_security sb_eat_lsm_opts sb_kern_mount sb_mount sb_remount sb_set_mnt_opts
        sb_show_options sb_statfs sb_umount settime socket_accept socket_bind socket_connect socket_create
        socket_getpeername socket_getpeersec_dgram socket_getsockname socket_getsockopt socket_listen socket_post_create
        socket_recvmsg socket_sendmsg socket_shutdown socket_socketpair syslog task_alloc current_getsecid_subj
        task_getsecid_obj task_prctl task_setscheduler userns_create
        """);

    // What 6.1 names otherwise or lets sleep and 6.12 does not.
    private static readonly FrozenSet<string> EarlySleepable =
        SetOf("bpf_map_alloc_security bpf_map_free_security key_free inet_conn_established");

    private static readonly FrozenSet<string> LateSleepable =
        SetOf("bdev_alloc_security bdev_setintegrity inode_removexattr inode_post_removexattr");

    private static readonly FrozenSet<string> Untrusted = SetOf("""
        bpf_map_free bpf_prog_free file_alloc_security file_free_security sk_alloc_security sk_free_security task_free
        """);

    private static readonly FrozenSet<string> Bool =
        SetOf("xfrm_state_pol_flow_match audit_rule_known inode_xattr_skipcap");

    private static readonly FrozenSet<string> Disabled = SetOf("""
        vm_enough_memory inode_need_killpriv inode_getsecurity inode_listsecurity inode_copy_up_xattr getselfattr
        getprocattr setprocattr key_getsecurity audit_rule_match xfrm_decode_session ismaclabel
        """);

    // Functions of the kernel that are named like a hook's.
    private static readonly FrozenSet<string> Others = SetOf("""
        get_retval_range is_trusted is_sleepable_hook func_proto verify_prog find_cgroup_shim init
        has_d_inode_locked hook_returns_errno
        """);

    private static readonly FrozenSet<string> Sockopt =
        SetOf("sock_graft inet_csk_clone inet_conn_established socket_post_create socket_socketpair");

    /// <summary>Whether a function of this name is a hook's, disabled or not.</summary>
    public static bool IsHook(string function) =>
        function.StartsWith(Prefix, StringComparison.Ordinal) && !Others.Contains(Short(function));

    /// <summary>Whether programs at the hook may sleep.</summary>
    public static bool IsSleepable(string hook, KernelProfile profile)
    {
        var name = Short(hook);
        if (profile.HasLateLsmHooks && LateSleepable.Contains(name))
        {
            return true;
        }

        var isPath = name != "path_notify" && name.StartsWith("path_", StringComparison.Ordinal);
        return profile.PathHooksSleep ? Sleepable.Contains(name)
            : EarlySleepable.Contains(name) || (!isPath && Sleepable.Contains(name));
    }

    /// <summary>Whether pointers the hook is given may be dying objects.</summary>
    public static bool IsUntrusted(string hook, KernelProfile profile) => Untrusted.Contains(Short(hook))
        || (profile.HasLateLsmHooks && Short(hook) is "bdev_alloc_security" or "bdev_free_security");

    /// <summary>Whether the hook returns 0 or 1 and not an errno.</summary>
    public static bool IsBool(string hook) => Bool.Contains(Short(hook));

    /// <summary>Whether programs may not attach to the hook.</summary>
    public static bool IsDisabled(string hook, KernelProfile profile) => Disabled.Contains(Short(hook))
        || (profile.HasLateLsmHooks && Short(hook) == "file_alloc_security");

    /// <summary>Whether cgroup programs at the hook may set socket options.</summary>
    public static bool AllowsSockopt(string hook) => Sockopt.Contains(Short(hook));

    private static string Short(string hook) =>
        hook.StartsWith(Prefix, StringComparison.Ordinal) ? hook[Prefix.Length..] : hook;

    private static FrozenSet<string> SetOf(string names) =>
        names.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).ToFrozenSet();
}
