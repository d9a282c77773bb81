namespace Kptr.Specs;

/// <summary>When a map runs the kptr destructors of a value that is updated or deleted.</summary>
public enum DestroyBehavior
{
    /// <summary>At once (Linux 5.19 to 7.1).</summary>
    Eager,

    /// <summary>
    /// When the memory goes; until then the kptr rides along on recycled memory (7.2 and stable
    /// trees with the same fix).
    /// </summary>
    Recycle,
}
