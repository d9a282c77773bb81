namespace Kptr;

/// <summary>What running a program cost, as <c>bpf_prog_info</c> tells it.</summary>
/// <param name="RunCount">Runs while <see cref="KernelModel.IsBpfStatsEnabled"/> was on (<c>run_cnt</c>).</param>
/// <param name="RunTimeNs">
/// Time that these runs took here, by the host's clock and not the model's (<c>run_time_ns</c>).
/// </param>
/// <param name="RecursionMisses">
/// Events that did not run the program because the same thread was inside of it already, or for <c>kprobe</c>,
/// <c>tp</c> and perf programs inside of any of these; counted always (<c>recursion_misses</c>).
/// </param>
public readonly record struct ProgStats(long RunCount, long RunTimeNs, long RecursionMisses)
{
    /// <summary>Time of one run; 0 where none was measured.</summary>
    public double AverageNs => RunCount == 0 ? 0 : (double)RunTimeNs / RunCount;
}
