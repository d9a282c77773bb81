namespace Kptr.Specs;

/// <content>What tracing programs call.</content>
internal static partial class HelperTable
{
    private const string TracingTable = """
        probe_read(out mem, size0, any) | gpl
        probe_read_str(out mem, size0, any) | gpl
        probe_read_user(out mem, size0, any) | gpl
        probe_read_user_str(out mem, size0, any) | gpl
        probe_read_kernel(out mem, size0, any) | gpl
        probe_read_kernel_str(out mem, size0, any) | gpl
        probe_write_user(any, ro mem, size) | gpl
        copy_from_user(out mem, size0, any) | sleep
        copy_from_user_task(out mem, size0, any, btf:task_struct, any) | gpl sleep

        trace_printk(ro mem, size) | gpl
        trace_vprintk(ro mem, size, ro mem?, size0) | gpl
        seq_printf(btf:seq_file, ro mem, size, ro mem?, size0) | gpl
        seq_write(btf:seq_file, ro mem, size0) | gpl
        seq_printf_btf(btf:seq_file, ro mem, size0, any) | gpl
        snprintf_btf(w mem, size, ro mem, size, any)

        get_current_task() | gpl
        get_current_task_btf() -> trusted:task_struct | gpl
        task_pt_regs(btf:task_struct) -> btf:pt_regs | gpl
        get_stack(ctx, out mem, size0, any) | gpl
        get_stack@sleepable(ctx, out mem, size0, any) | gpl sleep
        get_task_stack(btf:task_struct, out mem, size0, any)
        get_task_stack@sleepable(btf:task_struct, out mem, size0, any) | sleep
        get_func_ip(ctx) | gpl
        get_attach_cookie(ctx)
        get_func_arg(ctx, any, out aligned fixed:8)
        get_func_ret(ctx, out aligned fixed:8)
        get_func_arg_cnt(ctx)
        get_branch_snapshot(out mem, size0) | gpl
        override_return(ctx, any) | gpl
        perf_prog_read_value(ctx, out mem, size) | gpl
        read_branch_records(ctx, mem?, size0, any) | gpl
        send_signal(any)
        send_signal_thread(any)
        d_path(btf:path, w mem, size0)
        skb_output(btf:sk_buff, map, any, ro mem, size0) | gpl
        xdp_output(btf:xdp_buff, map, any, ro mem, size0) | gpl
        """;
}
