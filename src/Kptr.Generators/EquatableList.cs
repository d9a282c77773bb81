using System.Collections;
using System.Collections.Immutable;

namespace Kptr.Generators;

/// <summary>A list that is equal to another with equal items, which incremental generators need.</summary>
internal sealed class EquatableList<T>(ImmutableArray<T> items) : IEquatable<EquatableList<T>>, IEnumerable<T>
{
    private readonly ImmutableArray<T> _items = items;

    public bool Equals(EquatableList<T>? other) => other is not null && _items.SequenceEqual(other._items);

    public override bool Equals(object? obj) => Equals(obj as EquatableList<T>);

    public override int GetHashCode() => _items.Length == 0 ? 0 : _items[0]!.GetHashCode() ^ _items.Length;

    public IEnumerator<T> GetEnumerator() => ((IEnumerable<T>)_items).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
