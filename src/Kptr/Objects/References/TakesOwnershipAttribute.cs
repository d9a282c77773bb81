namespace Kptr.Objects;

/// <summary>
/// Says that a method takes the reference that it is handed: the caller's <see cref="KernelRef{T}"/> is dead when the
/// call returns, and the method releases it or moves it on.
/// </summary>
/// <remarks>
/// Read by the analyzers that come with Kptr (<c>KPTR001</c>, <c>KPTR002</c>), for callers and for the method
/// itself. Without it they take a reference that is handed over by value for one whose owner they do not know.
/// </remarks>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class TakesOwnershipAttribute : Attribute
{
    /// <summary>What it says.</summary>
    public override string ToString() => "takes ownership";
}
