using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Soundness;

/// <summary>Random programs about who owns what: what they are for is there, right and wrong.</summary>
public class OwnershipProgramTests
{
    private const int Programs = 500;
    private const int InsnsMax = 50_000;
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    private static readonly Lazy<List<(GeneratedProgram Program, VerifyResult Result)>> Judged = new(() =>
        [.. Enumerable.Range(1, Programs).Select(ProgGenerator.GenerateOwnership)
            .Select(p => (p, p.TryLink(s_kernel, new DiagSink())))
            .Where(p => p.Item2 is not null)
            .Select(p => (p.p, BpfVerifier.Verify(p.Item2!, s_kernel, new() { InsnsMax = InsnsMax })))]);

    /// <summary>One call of each kind of owner, section, iterator, callback and dynptr.</summary>
    public static TheoryData<string> Kinds { get; } =
    [
        "bpf_task_from_pid", "bpf_task_acquire", "bpf_task_get_cgroup1", "bpf_cgroup_from_id", "bpf_cgroup_ancestor",
        "bpf_cpumask_create", "bpf_obj_new_impl", "bpf_refcount_acquire_impl", "bpf_percpu_obj_new_impl",
        "bpf_this_cpu_ptr", "bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp", "bpf_skc_to_tcp_sock",
        "bpf_lookup_system_key", "bpf_get_task_exe_file", "bpf_crypto_ctx_acquire", "bpf_kptr_xchg",
        "bpf_list_push_back_impl", "bpf_list_pop_front", "bpf_rbtree_add_impl", "bpf_rbtree_remove", "bpf_spin_lock",
        "bpf_rcu_read_lock", "bpf_preempt_disable", "bpf_copy_from_user", "bpf_iter_num_new", "bpf_iter_task_new",
        "bpf_iter_css_new", "bpf_iter_task_vma_new", "bpf_iter_bits_new", "bpf_timer_set_callback",
        "bpf_wq_set_callback_impl", "bpf_user_ringbuf_drain", "bpf_find_vma", "bpf_loop", "bpf_for_each_map_elem",
        "bpf_throw", "bpf_ringbuf_reserve", "bpf_ringbuf_reserve_dynptr", "bpf_dynptr_from_mem", "bpf_dynptr_clone",
        "bpf_dynptr_slice", "bpf_task_storage_get",
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Call_OfEachKind_StandsInAcceptedPrograms(string name) =>
        Judged.Value.Should().Contain(j => j.Result.IsAccepted && j.Program.Lines.Contains($"call {name}"));

    [Fact]
    public void Programs_AreLinkedAcceptedAndRefused()
    {
        Judged.Value.Should().HaveCountGreaterThan(Programs * 9 / 10);
        Judged.Value.Count(j => j.Result.IsAccepted).Should().BeInRange(Programs / 2, Programs * 3 / 4);
    }

    [Theory]
    [InlineData(DiagCode.UnreleasedRef)]
    [InlineData(DiagCode.UsedAfterRelease)]
    [InlineData(DiagCode.NullDereference)]
    [InlineData(DiagCode.SectionUnbalanced)]
    [InlineData(DiagCode.UntrustedArg)]
    public void Fault_OfEachKind_IsRefused(DiagCode code) =>
        Judged.Value.Select(j => j.Result.Diagnostics.LastOrDefault()?.Code).Should().Contain(code);
}
