namespace Kptr.Objects;

/// <summary>CPU time that was used, in nanoseconds (<c>struct task_cputime</c>).</summary>
/// <param name="UserNs">In user mode.</param>
/// <param name="SystemNs">In the kernel.</param>
public readonly record struct CpuTime(long UserNs, long SystemNs)
{
    /// <summary>Both (<c>sum_exec_runtime</c>; of a cgroup <c>usage_usec</c>, in nanoseconds).</summary>
    public long TotalNs => UserNs + SystemNs;

    /// <summary>The sum of two.</summary>
    public static CpuTime operator +(CpuTime left, CpuTime right) =>
        new(left.UserNs + right.UserNs, left.SystemNs + right.SystemNs);

    /// <summary>The same as <c>+</c>.</summary>
    public CpuTime Add(CpuTime other) => this + other;

    /// <summary>In milliseconds.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"user {UserNs / 1e6:0.###} ms, system {SystemNs / 1e6:0.###} ms");
}
