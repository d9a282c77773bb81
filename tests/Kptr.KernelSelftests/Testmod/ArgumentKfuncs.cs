using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Testmod;

/// <summary>
/// Kfuncs that exist for what they take. Linux's do next to nothing; these ask for all they are promised, so that an
/// argument the verifier let through wrongly ends the run with a fault.
/// </summary>
public static class ArgumentKfuncs
{
    private const int Pass1Bytes = 16;
    private const int Pass2Bytes = 88;

    [Kfunc("bpf_testmod_test_mod_kfunc", Hooks = KfuncHooks.Tc, Profiles = ProfileSet.Early,
        Prototype = "void bpf_testmod_test_mod_kfunc(int i)")]
    [Kfunc("bpf_testmod_test_mod_kfunc", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_testmod_test_mod_kfunc(int i)")]
    public static void Note(KernelCore kernel, int value) => TestModule.In(kernel).LastValue = value;

    [Kfunc("bpf_kfunc_call_test1", Hooks = ObjectKfuncs.Check,
        Prototype = "u64 bpf_kfunc_call_test1(struct sock *sk, u32 a, u64 b, u32 c, u64 d)")]
    public static ulong Sum(ulong sock, uint a, ulong b, uint c, ulong d)
    {
        _ = sock;
        return unchecked(a + b + c + d);
    }

    [Kfunc("bpf_kfunc_call_test2", Hooks = ObjectKfuncs.Check,
        Prototype = "int bpf_kfunc_call_test2(struct sock *sk, u32 a, u32 b)")]
    public static int SumOfTwo(ulong sock, uint a, uint b)
    {
        _ = sock;
        return unchecked((int)(a + b));
    }

    [Kfunc("bpf_kfunc_call_test3", Hooks = ObjectKfuncs.Check,
        Prototype = "struct sock *bpf_kfunc_call_test3(struct sock *sk)")]
    public static ulong Same(ulong sock) => sock;

    [Kfunc("bpf_kfunc_call_test4", Hooks = ObjectKfuncs.Check,
        Prototype = "long bpf_kfunc_call_test4(signed char a, short b, int c, long d)")]
    public static long SignedSum(sbyte a, short b, int c, long d) => unchecked(a + b + c + d);

    [Kfunc("bpf_kfunc_call_test_mem_len_pass1", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_mem_len_pass1(void *mem, int mem__sz)")]
    public static void TakeSized(ProgContext ctx, ulong memory, int sizeBytes) => ctx.ReadMemory(memory, sizeBytes);

    [Kfunc("bpf_kfunc_call_test_pass1", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_pass1(struct prog_test_pass1 *p)")]
    public static void TakePass1(ProgContext ctx, ulong p) => ctx.ReadMemory(p, Pass1Bytes);

    [Kfunc("bpf_kfunc_call_test_pass2", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_pass2(struct prog_test_pass2 *p)")]
    public static void TakePass2(ProgContext ctx, ulong p) => ctx.ReadMemory(p, Pass2Bytes);

    [Kfunc("bpf_kfunc_trusted_num_test", KfuncFlags.TrustedArgs, Hooks = KfuncHooks.Common,
        Prototype = "void bpf_kfunc_trusted_num_test(int *ptr)")]
    public static void TakeNumber(ProgContext ctx, ulong p) => ctx.ReadMemory(p, sizeof(int));

    [Kfunc("bpf_kfunc_trusted_task_test", KfuncFlags.TrustedArgs, Hooks = KfuncHooks.Common,
        Prototype = "void bpf_kfunc_trusted_task_test(struct task_struct *ptr)")]
    [Kfunc("bpf_kfunc_rcu_task_test", KfuncFlags.Rcu, Hooks = KfuncHooks.Common,
        Prototype = "void bpf_kfunc_rcu_task_test(struct task_struct *ptr)")]
    public static void TakeTask(TaskStruct task) => ArgumentNullException.ThrowIfNull(task);

    // What the kernel's own bodies ignore, and what no program may pass: mem_len_fail and fail1 to
    // fail3 are always refused.
    [Kfunc("bpf_kfunc_call_test_pass_ctx", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_pass_ctx(struct __sk_buff *skb)")]
    [Kfunc("bpf_kfunc_call_test_fail1", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_fail1(struct prog_test_fail1 *p)")]
    [Kfunc("bpf_kfunc_call_test_fail2", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_fail2(struct prog_test_fail2 *p)")]
    [Kfunc("bpf_kfunc_call_test_fail3", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_fail3(struct prog_test_fail3 *p)")]
    [Kfunc("bpf_kfunc_call_test_offset", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_offset(struct prog_test_ref_kfunc *p)")]
    [Kfunc("bpf_kfunc_trusted_vma_test", KfuncFlags.TrustedArgs, Hooks = KfuncHooks.Common,
        Prototype = "void bpf_kfunc_trusted_vma_test(struct vm_area_struct *ptr)")]
    public static void Ignore(ulong p) => _ = p;

    [Kfunc("bpf_kfunc_call_test_mem_len_fail1", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_mem_len_fail1(void *mem, int len)")]
    [Kfunc("bpf_kfunc_call_test_mem_len_fail2", Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_mem_len_fail2(u64 *mem, int len)")]
    [Kfunc("bpf_kfunc_dynptr_test", Hooks = KfuncHooks.Common,
        Prototype = "void bpf_kfunc_dynptr_test(struct bpf_dynptr *ptr, struct bpf_dynptr *ptr__nullable)")]
    public static void IgnoreBoth(ulong first, ulong second) => _ = (first, second);

    [Kfunc("bpf_kfunc_common_test", Hooks = KfuncHooks.Common, Prototype = "void bpf_kfunc_common_test(void)")]
    [Kfunc("bpf_kfunc_call_test_sleepable", KfuncFlags.Sleepable, Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_sleepable(void)")]
    [Kfunc("bpf_kfunc_call_test_destructive", KfuncFlags.Destructive, Hooks = ObjectKfuncs.Check,
        Prototype = "void bpf_kfunc_call_test_destructive(void)")]
    public static void DoNothing()
    {
    }

    [Kfunc("bpf_kfunc_call_test_static_unused_arg", Hooks = ObjectKfuncs.Check,
        Prototype = "u32 bpf_kfunc_call_test_static_unused_arg(u32 arg, u32 unused)")]
    public static uint First(uint arg, uint unused)
    {
        _ = unused;
        return arg;
    }

    [Kfunc("bpf_test_modorder_retx", Hooks = KfuncHooks.Tc, Prototype = "int bpf_test_modorder_retx(void)")]
    public static int ReturnX() => 'x';

    [Kfunc("bpf_test_modorder_rety", Hooks = KfuncHooks.Tc, Prototype = "int bpf_test_modorder_rety(void)")]
    public static int ReturnY() => 'y';
}
