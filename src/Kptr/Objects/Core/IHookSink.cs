namespace Kptr.Objects;

/// <summary>Whoever runs programs when the modelled kernel passes a tracepoint or an LSM hook.</summary>
internal interface IHookSink
{
    /// <summary>The kernel passes a tracepoint; called with no lock held, on the thread that caused it.</summary>
    /// <param name="tracepoint">Its name, as in <c>tp_btf/task_newtask</c>.</param>
    /// <param name="args">Its arguments as registers; objects by address.</param>
    void Fire(string tracepoint, ReadOnlySpan<ulong> args);

    /// <summary>The kernel asks an LSM hook; called with no lock held, on the thread that caused it.</summary>
    /// <param name="hook">Its bare name, as in <c>lsm/file_open</c>.</param>
    /// <param name="args">As above.</param>
    /// <returns>0, or the first refusal.</returns>
    long Ask(string hook, ReadOnlySpan<ulong> args) => 0;
}
