using System.Collections.Immutable;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>The kfuncs that the selftests' own kernel modules register (6.12); their prototypes are in the modules' BTF.</summary>
internal static class TestModuleKfuncs
{
    private static readonly ImmutableArray<ProgType> Check =
    [
        ProgType.SchedCls, ProgType.Tracing, ProgType.Tracepoint, ProgType.PerfEvent, ProgType.Lsm, ProgType.Syscall,
        ProgType.StructOps,
    ];

    private const string CommonList = """
        bpf_iter_testmod_seq_new IterNew
        bpf_iter_testmod_seq_next IterNext RetNull
        bpf_iter_testmod_seq_destroy IterDestroy
        bpf_iter_testmod_seq_value
        bpf_kfunc_common_test
        bpf_kfunc_dynptr_test
        bpf_kfunc_nested_acquire_nonzero_offset_test Acquire
        bpf_kfunc_nested_acquire_zero_offset_test Acquire
        bpf_kfunc_nested_release_test Release
        bpf_kfunc_trusted_vma_test TrustedArgs
        bpf_kfunc_trusted_task_test TrustedArgs
        bpf_kfunc_trusted_num_test TrustedArgs
        bpf_kfunc_rcu_task_test Rcu
        bpf_testmod_ctx_create Acquire RetNull
        bpf_testmod_ctx_release Release
        """;

    private const string CheckList = """
        bpf_testmod_test_mod_kfunc
        bpf_kfunc_call_test1
        bpf_kfunc_call_test2
        bpf_kfunc_call_test3
        bpf_kfunc_call_test4
        bpf_kfunc_call_test_mem_len_pass1
        bpf_kfunc_call_test_mem_len_fail1
        bpf_kfunc_call_test_mem_len_fail2
        bpf_kfunc_call_test_acquire Acquire RetNull
        bpf_kfunc_call_memb_acquire Acquire RetNull
        bpf_kfunc_call_memb1_release Release
        bpf_kfunc_call_test_get_rdwr_mem RetNull
        bpf_kfunc_call_test_get_rdonly_mem RetNull
        bpf_kfunc_call_test_acq_rdonly_mem Acquire RetNull
        bpf_kfunc_call_int_mem_release Release
        bpf_kfunc_call_test_pass_ctx
        bpf_kfunc_call_test_pass1
        bpf_kfunc_call_test_pass2
        bpf_kfunc_call_test_fail1
        bpf_kfunc_call_test_fail2
        bpf_kfunc_call_test_fail3
        bpf_kfunc_call_test_ref TrustedArgs Rcu
        bpf_kfunc_call_test_destructive Destructive
        bpf_kfunc_call_test_static_unused_arg
        bpf_kfunc_call_test_offset
        bpf_kfunc_call_test_sleepable Sleepable
        bpf_kfunc_init_sock Sleepable
        bpf_kfunc_close_sock Sleepable
        bpf_kfunc_call_kernel_connect Sleepable
        bpf_kfunc_call_kernel_bind Sleepable
        bpf_kfunc_call_kernel_listen Sleepable
        bpf_kfunc_call_kernel_sendmsg Sleepable
        bpf_kfunc_call_sock_sendmsg Sleepable
        bpf_kfunc_call_kernel_getsockname Sleepable
        bpf_kfunc_call_kernel_getpeername Sleepable
        bpf_kfunc_st_ops_test_prologue TrustedArgs Sleepable
        bpf_kfunc_st_ops_test_epilogue TrustedArgs Sleepable
        bpf_kfunc_st_ops_test_pro_epilogue TrustedArgs Sleepable
        bpf_kfunc_st_ops_inc10 TrustedArgs
        """;

    private const string OrderList = """
        bpf_test_modorder_retx
        bpf_test_modorder_rety
        """;

    /// <summary>Adds them to a kernel.</summary>
    public static KernelSpec AddTo(KernelSpec kernel) => kernel with
    {
        Kfuncs = kernel.Kfuncs.SetItems(Parse(CommonList, []).Concat(Parse(CheckList, Check)).Concat(Parse(OrderList, [ProgType.SchedCls]))),
    };

    private static IEnumerable<KeyValuePair<string, KfuncSpec>> Parse(string list, ImmutableArray<ProgType> types) =>
        list.Split('\n', StringSplitOptions.TrimEntries).Select(line => line.Split(' ')).Select(words => KeyValuePair.Create(
            words[0],
            new KfuncSpec(words[0], "", words.Skip(1).Aggregate(KfuncFlags.None, (flags, word) => flags | Enum.Parse<KfuncFlags>(word)))
            {
                ProgTypes = types,
                Module = "bpf_testmod",
            }));
}
