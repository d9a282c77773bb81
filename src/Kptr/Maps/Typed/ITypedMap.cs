namespace Kptr.Maps;

/// <summary>
/// A map whose keys and values are C# structs; what can be done with it is in <see cref="BpfMapExtensions"/>.
/// </summary>
/// <typeparam name="TKey">The key; compared byte by byte, so it must have no padding.</typeparam>
/// <typeparam name="TValue">The value; of per-CPU maps, one CPU's.</typeparam>
public interface ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    /// <summary>The map.</summary>
    BpfMap Map { get; }
}

/// <summary>Any map, seen as one of C# structs. Made by <see cref="BpfMapExtensions.As{TKey, TValue}"/>.</summary>
/// <typeparam name="TKey">The key.</typeparam>
/// <typeparam name="TValue">The value; of per-CPU maps, one CPU's.</typeparam>
public sealed class TypedMapView<TKey, TValue> : ITypedMap<TKey, TValue>
    where TKey : unmanaged
    where TValue : unmanaged
{
    internal TypedMapView(BpfMap map) => Map = map;

    /// <summary>The map.</summary>
    public override string ToString() => $"typed view of {Map}";

    /// <inheritdoc/>
    public BpfMap Map { get; }
}
