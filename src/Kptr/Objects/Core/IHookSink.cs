namespace Kptr.Objects;

/// <summary>Whoever runs programs when the modelled kernel passes a tracepoint.</summary>
internal interface IHookSink
{
    /// <summary>The kernel passes a tracepoint; called with no lock held, on the thread that caused it.</summary>
    /// <param name="tracepoint">Its name, as in <c>tp_btf/task_newtask</c>.</param>
    /// <param name="args">Its arguments as registers; objects by address.</param>
    void Fire(string tracepoint, ReadOnlySpan<ulong> args);
}
