using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Testmod;

/// <summary>
/// The selftests' own kernel modules (<c>bpf_testmod</c> and its kin, 6.12), as a user of Kptr would build one.
/// </summary>
public sealed class TestModule
{
    /// <summary>The module's types, for a kernel without its BTF.</summary>
    public const string Declarations = """
        struct prog_test_member1 { int a; };
        struct prog_test_member { struct prog_test_member1 m; int c; };
        struct prog_test_ref_kfunc { int a; int b; struct prog_test_member memb; struct prog_test_ref_kfunc *next; refcount_t cnt; };
        struct prog_test_pass1 { int x0; struct { int x1; struct { int x2; struct { int x3; }; }; }; };
        struct prog_test_pass2 { int len; short arr1[4]; struct { char arr2[4]; unsigned long arr3[8]; } x; };
        struct prog_test_fail1 { void *p; int x; };
        struct prog_test_fail2 { int x8; struct prog_test_pass1 x; };
        struct prog_test_fail3 { int len; char arr1[2]; char arr2[]; };
        struct bpf_testmod_ctx { struct callback_head rcu; refcount_t usage; };
        struct bpf_iter_testmod_seq { s64 value; int cnt; };
        struct st_ops_args { u64 a; };
        """;

    private static readonly ImmutableArray<ProgType> CheckTypes =
    [
        ProgType.SchedCls, ProgType.Tracing, ProgType.Tracepoint, ProgType.PerfEvent, ProgType.Lsm, ProgType.Syscall,
        ProgType.StructOps,
    ];

    // Sockets of a kernel thread: declared, so that programs are judged; not run.
    private static readonly (string Name, KfuncFlags Flags)[] NotRun =
    [
        ("bpf_kfunc_init_sock", KfuncFlags.Sleepable),
        ("bpf_kfunc_close_sock", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_kernel_connect", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_kernel_bind", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_kernel_listen", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_kernel_sendmsg", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_sock_sendmsg", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_kernel_getsockname", KfuncFlags.Sleepable),
        ("bpf_kfunc_call_kernel_getpeername", KfuncFlags.Sleepable),
    ];

    // What the module of 7.2 has besides: calls of programs, and of any type of program.
    private static readonly (string Name, bool IsCommon)[] NotRunLater =
    [
        ("bpf_kfunc_get_default_trusted_ptr_test", true),
        ("bpf_kfunc_put_default_trusted_ptr_test", true),
        ("bpf_kfunc_multi_st_ops_test_1", false),
        ("bpf_kfunc_multi_st_ops_test_1_assoc", false),
        ("bpf_kfunc_implicit_arg", false),
        ("bpf_kfunc_implicit_arg_legacy", false),
        ("bpf_kfunc_implicit_arg_legacy_impl", false),
        ("bpf_kfunc_call_test5", false),
        ("bpf_kfunc_call_test_call_rcu_tasks_trace", false),
        ("bpf_kfunc_trigger_ctx_check", false),
        ("bpf_testmod_ops3_call_test_1", true),
        ("bpf_testmod_ops3_call_test_2", true),
    ];

    private TestModule(KernelCore kernel)
    {
        RefObject = new(kernel);
    }

    /// <summary>Kptr's kfuncs and the module's, with bodies.</summary>
    public static KfuncRegistry Kfuncs { get; } =
        KfuncRegistry.Builtin.With(
            typeof(ObjectKfuncs), typeof(SeqIterKfuncs), typeof(ArgumentKfuncs), typeof(StOpsKfuncs));

    /// <summary>The one <c>prog_test_ref_kfunc</c> there is: acquiring gives this.</summary>
    public ProgTestRef RefObject { get; }

    /// <summary>What is registered as <c>bpf_testmod_st_ops</c>, or null.</summary>
    public StructOpsInstance? StOps { get; set; }

    /// <summary>What <c>bpf_testmod_test_mod_kfunc</c> was last told.</summary>
    public int LastValue { get; set; }

    /// <summary>The module as it is loaded in this kernel.</summary>
    public static TestModule In(KernelCore kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel.Single(static k => new TestModule(k));
    }

    /// <summary>A kernel with the module, of a real kernel's types.</summary>
    public static KernelSpec Spec(KernelTypes types, KernelProfile profile)
    {
        var spec = BuiltinKernel.Spec(profile, types, Kfuncs);
        return spec with
        {
            Kfuncs = spec.Kfuncs.SetItems(NotRun.Select(k => KeyValuePair.Create(
                k.Name, new KfuncSpec(k.Name, "", k.Flags) { ProgTypes = CheckTypes, Module = "bpf_testmod" })))
                .SetItems(NotRunLater.Select(k => KeyValuePair.Create(
                    k.Name, new KfuncSpec(k.Name, "", KfuncFlags.TrustedArgs)
                    {
                        ProgTypes = k.IsCommon ? [] : CheckTypes,
                        Module = "bpf_testmod",
                        Profiles = ProfileSet.Linux7_2,
                    }))),
        };
    }
}
