using Kptr.Btf;

namespace Kptr.Maps;

/// <summary>Whoever implements <c>bpf_timer</c>, <c>bpf_wq</c> and <c>bpf_task_work</c> in value memory.</summary>
internal interface IAsyncFields
{
    /// <summary>
    /// Takes what an initialised field stands for out of it: another can be initialised there at once. Called with map
    /// locks held, so it calls nobody.
    /// </summary>
    /// <returns>
    /// The timer or work, or null. Disposing of it, with no lock held, stops and frees it; that does not wait for
    /// a callback that runs now.
    /// </returns>
    IDisposable? Cancel(BpfMap map, BtfField field, ulong address);
}
