using Kptr.Btf;

namespace Kptr.Maps;

/// <summary>Whoever implements <c>bpf_timer</c>, <c>bpf_wq</c> and <c>bpf_task_work</c> in value memory.</summary>
internal interface IAsyncFields
{
    /// <summary>
    /// Stops the timer or work in this field: it does not start again before it is initialised anew. Does not wait for
    /// a callback that runs now. Called with map locks held, so it calls nothing out.
    /// </summary>
    /// <returns>What is left to do: dispose of it once no lock is held. Null for a field that was
    /// not initialised.</returns>
    IDisposable? Cancel(BpfMap map, BtfField field, ulong address);
}
