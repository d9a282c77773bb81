using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>CPU masks. Kernel: kernel/bpf/cpumask.c, 6.12.</summary>
/// <remarks>
/// The ones that only read take any <c>struct cpumask</c> by address, such as <c>task->cpus_ptr</c>; only the first
/// <c>nr_cpu_ids</c> bits count.
/// </remarks>
[KfuncSet(KfuncHooks.StructOps | KfuncHooks.Tracing | KfuncHooks.Syscall)]
public static class CpumaskKfuncs
{
    /// <summary>Makes an empty mask.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>The owned reference on it.</returns>
    /// <remarks>Kernel: <c>bpf_cpumask_create</c>.</remarks>
    [Kfunc("bpf_cpumask_create", KfuncFlags.Acquire | KfuncFlags.RetNull,
        Prototype = "struct bpf_cpumask *bpf_cpumask_create(void)")]
    public static KernelRef<Cpumask>? CpumaskCreate(
        KernelCore core, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        ArgumentNullException.ThrowIfNull(core);
        return core.IsOutOfMemory("bpf_cpumask") ? null : KernelRef.Own(new Cpumask(core), file, line);
    }

    /// <summary>Takes one reference.</summary>
    /// <param name="cpumask">The mask, on which the caller has a reference.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <remarks>Kernel: <c>bpf_cpumask_acquire</c>.</remarks>
    [Kfunc("bpf_cpumask_acquire", KfuncFlags.Acquire | KfuncFlags.TrustedArgs,
        Prototype = "struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *cpumask)")]
    public static KernelRef<Cpumask>? CpumaskAcquire(
        Cpumask cpumask, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        cpumask.TryAcquire(file, line);

    /// <summary>Gives one reference back.</summary>
    /// <param name="cpumask">The reference, dead afterwards.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <remarks>Kernel: <c>bpf_cpumask_release</c>.</remarks>
    [Kfunc("bpf_cpumask_release", KfuncFlags.Release,
        Prototype = "void bpf_cpumask_release(struct bpf_cpumask *cpumask)", DestructorOf = "bpf_cpumask")]
    public static void CpumaskRelease(
        [TakesOwnership] KernelRef<Cpumask> cpumask, [CallerFilePath] string file = "",
        [CallerLineNumber] int line = 0) =>
        cpumask.Release(file, line);

    [Kfunc("bpf_cpumask_first", KfuncFlags.Rcu,
        Prototype = "u32 bpf_cpumask_first(const struct cpumask *cpumask)")]
    internal static uint First(ProgContext ctx, ulong mask) => FirstWhere(ctx, cpu => Bit(ctx, mask, cpu));

    [Kfunc("bpf_cpumask_first_zero", KfuncFlags.Rcu,
        Prototype = "u32 bpf_cpumask_first_zero(const struct cpumask *cpumask)")]
    internal static uint FirstZero(ProgContext ctx, ulong mask) => FirstWhere(ctx, cpu => !Bit(ctx, mask, cpu));

    [Kfunc("bpf_cpumask_first_and", KfuncFlags.Rcu,
        Prototype = "u32 bpf_cpumask_first_and(const struct cpumask *src1, const struct cpumask *src2)")]
    internal static uint FirstAnd(ProgContext ctx, ulong left, ulong right) =>
        FirstWhere(ctx, cpu => Bit(ctx, left, cpu) && Bit(ctx, right, cpu));

    [Kfunc("bpf_cpumask_set_cpu", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *cpumask)")]
    internal static void SetCpu(ProgContext ctx, uint cpu, ulong mask) => Change(ctx, mask, cpu, isSet: true);

    [Kfunc("bpf_cpumask_clear_cpu", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_clear_cpu(u32 cpu, struct bpf_cpumask *cpumask)")]
    internal static void ClearCpu(ProgContext ctx, uint cpu, ulong mask) => Change(ctx, mask, cpu, isSet: false);

    [Kfunc("bpf_cpumask_test_cpu", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *cpumask)")]
    internal static bool TestCpu(ProgContext ctx, uint cpu, ulong mask) => IsCpu(ctx, cpu) && Bit(ctx, mask, (int)cpu);

    [Kfunc("bpf_cpumask_test_and_set_cpu", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_test_and_set_cpu(u32 cpu, struct bpf_cpumask *cpumask)")]
    internal static bool TestAndSetCpu(ProgContext ctx, uint cpu, ulong mask) => Change(ctx, mask, cpu, isSet: true);

    [Kfunc("bpf_cpumask_test_and_clear_cpu", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_test_and_clear_cpu(u32 cpu, struct bpf_cpumask *cpumask)")]
    internal static bool TestAndClearCpu(ProgContext ctx, uint cpu, ulong mask) => Change(ctx, mask, cpu, isSet: false);

    [Kfunc("bpf_cpumask_setall", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_setall(struct bpf_cpumask *cpumask)")]
    internal static void SetAll(ProgContext ctx, ulong mask) => Fill(ctx, mask, _ => true);

    [Kfunc("bpf_cpumask_clear", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_clear(struct bpf_cpumask *cpumask)")]
    internal static void Clear(ProgContext ctx, ulong mask) => Fill(ctx, mask, _ => false);

    [Kfunc("bpf_cpumask_and", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_and(struct bpf_cpumask *dst, const struct cpumask *src1, "
            + "const struct cpumask *src2)")]
    internal static bool And(ProgContext ctx, ulong target, ulong left, ulong right) =>
        Fill(ctx, target, cpu => Bit(ctx, left, cpu) && Bit(ctx, right, cpu));

    [Kfunc("bpf_cpumask_or", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_or(struct bpf_cpumask *dst, const struct cpumask *src1, "
            + "const struct cpumask *src2)")]
    internal static void Or(ProgContext ctx, ulong target, ulong left, ulong right) =>
        Fill(ctx, target, cpu => Bit(ctx, left, cpu) || Bit(ctx, right, cpu));

    [Kfunc("bpf_cpumask_xor", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_xor(struct bpf_cpumask *dst, const struct cpumask *src1, "
            + "const struct cpumask *src2)")]
    internal static void Xor(ProgContext ctx, ulong target, ulong left, ulong right) =>
        Fill(ctx, target, cpu => Bit(ctx, left, cpu) != Bit(ctx, right, cpu));

    [Kfunc("bpf_cpumask_equal", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_equal(const struct cpumask *src1, const struct cpumask *src2)")]
    internal static bool Equal(ProgContext ctx, ulong left, ulong right) =>
        All(ctx, cpu => Bit(ctx, left, cpu) == Bit(ctx, right, cpu));

    [Kfunc("bpf_cpumask_intersects", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_intersects(const struct cpumask *src1, const struct cpumask *src2)")]
    internal static bool Intersects(ProgContext ctx, ulong left, ulong right) =>
        !All(ctx, cpu => !(Bit(ctx, left, cpu) && Bit(ctx, right, cpu)));

    [Kfunc("bpf_cpumask_subset", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_subset(const struct cpumask *src1, const struct cpumask *src2)")]
    internal static bool Subset(ProgContext ctx, ulong inner, ulong outer) =>
        All(ctx, cpu => !Bit(ctx, inner, cpu) || Bit(ctx, outer, cpu));

    [Kfunc("bpf_cpumask_empty", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_empty(const struct cpumask *cpumask)")]
    internal static bool Empty(ProgContext ctx, ulong mask) => All(ctx, cpu => !Bit(ctx, mask, cpu));

    [Kfunc("bpf_cpumask_full", KfuncFlags.Rcu,
        Prototype = "bool bpf_cpumask_full(const struct cpumask *cpumask)")]
    internal static bool Full(ProgContext ctx, ulong mask) => All(ctx, cpu => Bit(ctx, mask, cpu));

    [Kfunc("bpf_cpumask_copy", KfuncFlags.Rcu,
        Prototype = "void bpf_cpumask_copy(struct bpf_cpumask *dst, const struct cpumask *src)")]
    internal static void Copy(ProgContext ctx, ulong target, ulong source) =>
        Fill(ctx, target, cpu => Bit(ctx, source, cpu));

    /// <summary>
    /// Any CPU of the mask; the kernel spreads its choice, the model draws it from the kernel's seed.
    /// </summary>
    [Kfunc("bpf_cpumask_any_distribute", KfuncFlags.Rcu,
        Prototype = "u32 bpf_cpumask_any_distribute(const struct cpumask *cpumask)")]
    internal static uint AnyDistribute(ProgContext ctx, ulong mask) => AnyWhere(ctx, cpu => Bit(ctx, mask, cpu));

    [Kfunc("bpf_cpumask_any_and_distribute", KfuncFlags.Rcu,
        Prototype = "u32 bpf_cpumask_any_and_distribute(const struct cpumask *src1, const struct cpumask *src2)")]
    internal static uint AnyAndDistribute(ProgContext ctx, ulong left, ulong right) =>
        AnyWhere(ctx, cpu => Bit(ctx, left, cpu) && Bit(ctx, right, cpu));

    [Kfunc("bpf_cpumask_weight", KfuncFlags.Rcu,
        Prototype = "u32 bpf_cpumask_weight(const struct cpumask *cpumask)")]
    internal static uint Weight(ProgContext ctx, ulong mask) => (uint)Cpus(ctx).Count(cpu => Bit(ctx, mask, cpu));

    private static IEnumerable<int> Cpus(ProgContext ctx) => Enumerable.Range(0, ctx.Core.CpuCount);

    private static bool IsCpu(ProgContext ctx, uint cpu) => cpu < (uint)ctx.Core.CpuCount;

    private static bool All(ProgContext ctx, Func<int, bool> test) => Cpus(ctx).All(test);

    private static uint FirstWhere(ProgContext ctx, Func<int, bool> test) =>
        (uint)Cpus(ctx).Where(test).Append(ctx.Core.CpuCount).First();

    private static uint AnyWhere(ProgContext ctx, Func<int, bool> test)
    {
        var all = Cpus(ctx).Where(test).ToList();
        return all.Count == 0 ? (uint)ctx.Core.CpuCount : (uint)all[(int)(ctx.Host.NextRandom() % (uint)all.Count)];
    }

    private static bool Bit(ProgContext ctx, ulong mask, int cpu) =>
        (Word(ctx, mask, cpu) >> (cpu % 64) & 1) != 0;

    private static bool Fill(ProgContext ctx, ulong mask, Func<int, bool> value)
    {
        for (var word = 0; word * 64 < ctx.Core.CpuCount; word++)
        {
            var bits = Cpus(ctx)
                .Where(cpu => cpu / 64 == word && value(cpu))
                .Aggregate(0UL, (all, cpu) => all | (1UL << (cpu % 64)));
            Volatile.Write(ref Word(ctx, mask, word * 64), bits);
        }

        return !Empty(ctx, mask);
    }

    /// <summary>Atomically changes one bit; a number that is no CPU does nothing.</summary>
    /// <returns>What the bit was.</returns>
    private static bool Change(ProgContext ctx, ulong mask, uint cpu, bool isSet)
    {
        if (!IsCpu(ctx, cpu))
        {
            return false;
        }

        ref var word = ref Word(ctx, mask, (int)cpu);
        var bit = 1UL << (int)(cpu % 64);
        var old = isSet ? Interlocked.Or(ref word, bit) : Interlocked.And(ref word, ~bit);
        return (old & bit) != 0;
    }

    private static ref ulong Word(ProgContext ctx, ulong mask, int cpu) =>
        ref MemoryMarshal.AsRef<ulong>(ctx.KernelMemory(mask + ((ulong)(cpu / 64) * sizeof(ulong)), sizeof(ulong)));
}
