using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Testmod;

/// <summary><c>struct st_ops_args</c> as a program of the operations has it; the count is the model's.</summary>
public sealed class StOpsArgs(KernelCore kernel) : KernelObject(kernel, "st_ops_args", "refs.counter");

/// <summary>
/// Calls of what is registered as <c>bpf_testmod_st_ops</c>, with what the module's instructions before and behind the
/// program do: together they are one call.
/// </summary>
public static class StOpsKfuncs
{
    private const ulong Prologue = 1000;
    private const ulong Epilogue = 10000;
    private const ulong Inc = 10;
    private const KfuncFlags CallFlags = KfuncFlags.TrustedArgs | KfuncFlags.Sleepable;

    [Kfunc("bpf_kfunc_st_ops_test_prologue", CallFlags, Hooks = ObjectKfuncs.Check,
        Prototype = "int bpf_kfunc_st_ops_test_prologue(struct st_ops_args *args)")]
    public static int CallWithPrologue(ProgContext ctx, ulong args) => Call(ctx, "test_prologue", args, Prologue, 0);

    [Kfunc("bpf_kfunc_st_ops_test_epilogue", CallFlags, Hooks = ObjectKfuncs.Check,
        Prototype = "int bpf_kfunc_st_ops_test_epilogue(struct st_ops_args *args)")]
    public static int CallWithEpilogue(ProgContext ctx, ulong args) => Call(ctx, "test_epilogue", args, 0, Epilogue);

    [Kfunc("bpf_kfunc_st_ops_test_pro_epilogue", CallFlags, Hooks = ObjectKfuncs.Check,
        Prototype = "int bpf_kfunc_st_ops_test_pro_epilogue(struct st_ops_args *args)")]
    public static int CallWithBoth(ProgContext ctx, ulong args) =>
        Call(ctx, "test_pro_epilogue", args, Prologue, Epilogue);

    [Kfunc("bpf_kfunc_st_ops_inc10", KfuncFlags.TrustedArgs, Hooks = ObjectKfuncs.Check,
        Prototype = "int bpf_kfunc_st_ops_inc10(struct st_ops_args *args)")]
    public static int Inc10(ProgContext ctx, StOpsArgs args)
    {
        ArgumentNullException.ThrowIfNull(args);
        var sum = args.Read<ulong>("a") + Inc;
        args.Write("a", sum);
        return (int)sum;
    }

    // The program gets what the caller has as an object of the kernel: the caller's stack is not its own.
    private static int Call(ProgContext ctx, string member, ulong args, ulong before, ulong behind)
    {
        ArgumentNullException.ThrowIfNull(ctx);
        if (TestModule.In(ctx.Core).StOps is not { } ops || !ops.Members.ContainsKey(member))
        {
            return -1;
        }

        using var held = KernelRef.Own(new StOpsArgs(ctx.Core));
        held.Target.Write("a", ctx.Read<ulong>(args) + before);
        var returned = ops.Call(member, held.Target.Address).ReturnValue;
        var left = held.Target.Read<ulong>("a") + behind;
        ctx.Write(args, left);
        return behind == 0 ? (int)returned : (int)(2 * left);
    }
}
