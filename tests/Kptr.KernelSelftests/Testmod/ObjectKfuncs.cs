using System.Runtime.CompilerServices;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Testmod;

/// <summary>
/// The module's acquire and release pairs. Those that return nothing are only there to be refused or to return null.
/// </summary>
public static class ObjectKfuncs
{
    internal const KfuncHooks Check = KfuncHooks.Tc | KfuncHooks.Tracing | KfuncHooks.Syscall | KfuncHooks.StructOps;
    private const KfuncHooks TestRun = KfuncHooks.Tc | KfuncHooks.Tracing | KfuncHooks.Syscall;
    private const int IntBytes = 4;

    [Kfunc("bpf_kfunc_call_test_acquire", KfuncFlags.Acquire | KfuncFlags.RetNull, Hooks = Check,
        Prototype = "struct prog_test_ref_kfunc *bpf_kfunc_call_test_acquire(unsigned long *scalar_ptr)")]
    public static KernelRef<ProgTestRef>? Acquire(
        ProgContext ctx, ulong scalar, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ctx.Read<ulong>(scalar);
        return TestModule.In(ctx.Core).RefObject.TryAcquire(file, line);
    }

    [Kfunc("bpf_kfunc_call_test_release", KfuncFlags.Release, Hooks = TestRun, DestructorOf = "prog_test_ref_kfunc",
        Prototype = "void bpf_kfunc_call_test_release(struct prog_test_ref_kfunc *p)")]
    public static void Release(
        KernelRef<ProgTestRef> reference, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        reference.Release(file, line);

    [Kfunc("bpf_kfunc_call_test_ref", KfuncFlags.TrustedArgs | KfuncFlags.Rcu, Hooks = Check,
        Prototype = "void bpf_kfunc_call_test_ref(struct prog_test_ref_kfunc *p)")]
    public static void Look(ProgTestRef reference) => ArgumentNullException.ThrowIfNull(reference);

    [Kfunc("bpf_kfunc_call_test_get_rdwr_mem", KfuncFlags.RetNull, Hooks = Check,
        Prototype = "int *bpf_kfunc_call_test_get_rdwr_mem(struct prog_test_ref_kfunc *p, const int rdwr_buf_size)")]
    [Kfunc("bpf_kfunc_call_test_get_rdonly_mem", KfuncFlags.RetNull, Hooks = Check,
        Prototype = "int *bpf_kfunc_call_test_get_rdonly_mem(struct prog_test_ref_kfunc *p, "
            + "const int rdonly_buf_size)")]
    [Kfunc("bpf_kfunc_call_test_acq_rdonly_mem", KfuncFlags.Acquire | KfuncFlags.RetNull, Hooks = Check,
        Prototype = "int *bpf_kfunc_call_test_acq_rdonly_mem(struct prog_test_ref_kfunc *p, "
            + "const int rdonly_buf_size)")]
    public static ulong Memory(ulong reference, int sizeBytes) => sizeBytes > 2 * IntBytes ? 0 : reference;

    [Kfunc("bpf_kfunc_call_memb_acquire", KfuncFlags.Acquire | KfuncFlags.RetNull, Hooks = Check,
        Prototype = "struct prog_test_member *bpf_kfunc_call_memb_acquire(void)")]
    public static ulong AcquireMember() => 0;

    [Kfunc("bpf_kfunc_call_memb_release", KfuncFlags.Release, Hooks = TestRun, DestructorOf = "prog_test_member",
        Prototype = "void bpf_kfunc_call_memb_release(struct prog_test_member *p)")]
    [Kfunc("bpf_kfunc_call_memb1_release", KfuncFlags.Release, Hooks = Check,
        Prototype = "void bpf_kfunc_call_memb1_release(struct prog_test_member1 *p)")]
    [Kfunc("bpf_kfunc_call_int_mem_release", KfuncFlags.Release, Hooks = Check,
        Prototype = "void bpf_kfunc_call_int_mem_release(int *p)")]
    [Kfunc("bpf_kfunc_nested_release_test", KfuncFlags.Release, Hooks = KfuncHooks.Common,
        Prototype = "void bpf_kfunc_nested_release_test(struct sk_buff *ptr)")]
    public static void ReleaseNothing(ulong pointer) => _ = pointer;

    [Kfunc("bpf_kfunc_nested_acquire_nonzero_offset_test", KfuncFlags.Acquire, Hooks = KfuncHooks.Common,
        Prototype = "struct sk_buff *bpf_kfunc_nested_acquire_nonzero_offset_test(struct sk_buff_head *ptr)")]
    [Kfunc("bpf_kfunc_nested_acquire_zero_offset_test", KfuncFlags.Acquire, Hooks = KfuncHooks.Common,
        Prototype = "struct sk_buff *bpf_kfunc_nested_acquire_zero_offset_test(struct sock_common *ptr)")]
    public static ulong AcquireNothing(ulong pointer)
    {
        _ = pointer;
        return 0;
    }

    [Kfunc("bpf_testmod_ctx_create", KfuncFlags.Acquire | KfuncFlags.RetNull, Hooks = KfuncHooks.Common,
        Prototype = "struct bpf_testmod_ctx *bpf_testmod_ctx_create(int *err)")]
    public static KernelRef<TestModuleContext>? CreateContext(
        ProgContext ctx, ulong err, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ctx.Write(err, ctx.Read<int>(err));
        return KernelRef.Own(new TestModuleContext(ctx.Core), file, line);
    }

    [Kfunc("bpf_testmod_ctx_release", KfuncFlags.Release, Hooks = KfuncHooks.Common, DestructorOf = "bpf_testmod_ctx",
        Prototype = "void bpf_testmod_ctx_release(struct bpf_testmod_ctx *ctx)")]
    public static void ReleaseContext(
        KernelRef<TestModuleContext> context, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        context.Release(file, line);
}
