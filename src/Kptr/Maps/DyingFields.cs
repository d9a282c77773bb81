namespace Kptr.Maps;

/// <summary>
/// What values lose at their end: taken out of their special fields at once, destroyed when this is disposed of, after
/// the map's locks are left.
/// </summary>
/// <remarks>
/// <para>
/// Declare it before the lock is taken (<c>using var dying = new DyingFields(map, path)</c>): destructors then
/// cannot run under a lock of the map, and the emptied memory may be reused before they ran. That order is what
/// Linux has to choose badly: destroying after unlock raced with reuse of the spare element, destroying under the
/// lock may sleep (58f038e6d209, 2025).
/// </para>
/// <para>For one thread. What is not disposed of is never destroyed.</para>
/// </remarks>
public sealed class DyingFields : IDisposable
{
    private readonly BpfMap _map;
    private readonly DeathPath _path;
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private DyingValues _values;
    private bool _isDisposed;

    /// <summary>
    /// Begins to collect. Memory for what one slot may own is set aside here, so that nothing fails under the lock.
    /// </summary>
    /// <param name="map">The map whose values end.</param>
    /// <param name="path">How; with the map's <see cref="DestroyPolicy"/> it decides what
    /// happens to the fields.</param>
    /// <exception cref="OutOfMemoryException">Nothing was done.</exception>
    public DyingFields(BpfMap map, DeathPath path)
    {
        ArgumentNullException.ThrowIfNull(map);
        _map = map;
        _path = path;
        _values = new(map, path);
    }

    /// <summary>Ends one value: does to its special fields what the policy says for the path.</summary>
    /// <param name="value">Address of the value.</param>
    /// <exception cref="ArgumentException">No value of the map begins there.</exception>
    /// <exception cref="InvalidOperationException">Another thread made this.</exception>
    /// <exception cref="ObjectDisposedException">It is over.</exception>
    public void Recycle(ulong value)
    {
        CheckOpen();
        _map.CheckValue(value, out var pool, out var slot);
        _values.NoteEnd(pool, slot);
        _values.RecycleAt(value);
    }

    /// <summary>Ends all values in a slot: one, or one per CPU.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="slot">The slot.</param>
    /// <exception cref="ArgumentException">The pool is not the map's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    /// <exception cref="InvalidOperationException">Another thread made this.</exception>
    /// <exception cref="ObjectDisposedException">It is over.</exception>
    public void Recycle(ValuePool pool, int slot)
    {
        CheckOpen();
        _map.CheckSlot(pool, slot);
        _values.Recycle(pool, slot);
    }

    /// <summary>Writes values over in place; what their special fields held ends as the policy says.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="slot">The element's slot.</param>
    /// <param name="value">One value, or one per CPU, as the map was handed it.</param>
    /// <param name="flags">With <see cref="MapUpdateFlags.Lock"/>, under the value's own spin lock.</param>
    /// <param name="caller">Who asks for it.</param>
    /// <exception cref="ArgumentException">The pool is not the map's.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No such slot.</exception>
    /// <exception cref="InvalidOperationException">Another thread made this.</exception>
    /// <exception cref="ObjectDisposedException">It is over.</exception>
    public void Overwrite(ValuePool pool, int slot, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        CheckOpen();
        _map.CheckSlot(pool, slot);
        _values.Overwrite(pool, slot, value, flags, caller);
    }

    /// <summary>Destroys what was taken out: all of it, whatever one destructor throws. Once.</summary>
    /// <remarks>Call it with no lock held. The first exception of a destructor is thrown on at the end.</remarks>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _values.Dispose();
        }
    }

    /// <summary>Whose values end, and how.</summary>
    public override string ToString() => $"values of {_map} that end by {_path}{(_isDisposed ? ", ended" : "")}";

    private void CheckOpen()
    {
        if (Environment.CurrentManagedThreadId != _threadId)
        {
            throw new InvalidOperationException($"a {nameof(DyingFields)} is used by another thread than its maker");
        }

        ObjectDisposedException.ThrowIf(_isDisposed, this);
    }
}
