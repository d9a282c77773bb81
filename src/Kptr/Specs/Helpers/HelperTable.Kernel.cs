namespace Kptr.Specs;

/// <content>Time, CPUs, tasks, cgroups, strings, LSM, system calls, infrared.</content>
internal static partial class HelperTable
{
    private const string KernelTable = """
        get_prandom_u32()
        get_smp_processor_id() | fastcall
        get_smp_processor_id@raw()
        get_numa_node_id()
        ktime_get_ns()
        ktime_get_boot_ns()
        ktime_get_coarse_ns()
        ktime_get_tai_ns()
        jiffies64()

        get_current_pid_tgid()
        get_current_uid_gid()
        get_current_comm(out mem, size)
        get_ns_current_pid_tgid(any, any, out mem, size)
        get_current_cgroup_id()
        get_current_ancestor_cgroup_id(any)
        get_cgroup_classid(ctx)
        get_cgroup_classid@curr()

        strtol(ro mem, size, any, out aligned fixed:8)
        strtoul(ro mem, size, any, out aligned fixed:8)
        strncmp(ro mem, size, str)
        snprintf(mem?, size0, str, ro mem?, size0) | gpl

        get_retval()
        set_retval(any)
        sysctl_get_name(ctx, w mem, size, any)
        sysctl_get_current_value(ctx, out mem, size)
        sysctl_get_new_value(ctx, out mem, size)
        sysctl_set_new_value(ctx, ro mem, size)

        bprm_opts_set(btf:linux_binprm, any)
        ima_inode_hash(btf:inode, out mem, size) | sleep
        ima_file_hash(btf:file, out mem, size) | sleep

        sys_bpf(any, ro mem, size) | sleep
        btf_find_by_name_kind(ro mem, size, any, any) | sleep
        sys_close(any) | sleep
        kallsyms_lookup_name(mem, size0, any, out aligned fixed:8)

        rc_repeat(ctx) | gpl
        rc_keydown(ctx, any, any, any) | gpl
        rc_pointer_rel(ctx, any, any) | gpl
        """;
}
