namespace Kptr.Objects;

// Numbers handed out in order.
public partial class KernelCore
{
    private int _lastMapId;

    internal int NextMapId() => Interlocked.Increment(ref _lastMapId);
}
