namespace Kptr.Objects;

/// <summary>What an allocation of the <see cref="KernelHeap"/> is doing now.</summary>
internal enum HeapState
{
    /// <summary>Never handed out, or ready to be handed out again.</summary>
    Free,

    /// <summary>Handed out.</summary>
    Live,

    /// <summary>Freed, poisoned and held back so that a late access is found instead of hitting a new tenant.</summary>
    Quarantined,
}
