using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>What an operation on a <see cref="RefCount"/> did.</summary>
internal enum RefCountOutcome
{
    /// <summary>The count moved and is above zero.</summary>
    Counted,

    /// <summary>
    /// A decrement reached zero (the caller frees the object), or an inc-not-zero found zero and took nothing.
    /// </summary>
    Zero,

    /// <summary>Fault: an increment from zero, or a decrement below it. The count is saturated.</summary>
    UseAfterFree,

    /// <summary>
    /// Fault: the count passed its maximum, or had done so before. It is saturated and its object leaks.
    /// </summary>
    Saturated,
}

/// <summary>A view of a <c>refcount_t</c> in a kernel object's own memory, where a program reads it too.</summary>
/// <remarks>
/// It moves by acquire and release of its object (<see cref="KernelRef"/>), and reads as zero once the object is freed.
/// Lock-free. A count never comes back from zero; a faulty operation pins it at <see cref="SaturatedValue"/>, so that
/// the object leaks instead of being freed under somebody. Kernel: <c>include/linux/refcount.h</c> (6.12).
/// <para>
/// Acquiring adds without looking first, because a load before a locked instruction costs half as much again. So that
/// no such addition can bring a dead count back, whoever gives back the last reference moves the count from zero to the
/// middle of a band of negative numbers that all mean zero; if somebody took a reference before that move, the count
/// was never zero. Kernel: <c>rcuref_t</c> (lib/rcuref.c, 6.12) does the same.
/// </para>
/// </remarks>
public readonly unsafe struct RefCount : IEquatable<RefCount>
{
    /// <summary>
    /// Where a faulty count is pinned: half-way between the overflow points (<c>REFCOUNT_SATURATED</c>).
    /// </summary>
    public const int SaturatedValue = int.MinValue / 2;

    private const int Dead = SaturatedValue / 2;
    private const int DeadLowest = Dead - (1 << 28);
    private const int DeadWidth = 1 << 29;
    private const int DeadDriftMax = 1 << 20;

    private readonly int* _counter;

    // What keeps the four bytes there. It also keeps bytes that anybody chose from being read as one of
    // these: the type is managed.
    private readonly KernelObject? _owner;

    /// <summary>
    /// Views the four bytes at <paramref name="address"/>, which <paramref name="owner"/> keeps; without one
    /// they must outlive the view.
    /// </summary>
    internal RefCount(ulong address, KernelObject? owner = null)
    {
        _counter = (int*)address;
        _owner = owner;
    }

    /// <summary>The count now; 0 once the object is freed, and of a default value.</summary>
    public int Value
    {
        get
        {
            var raw = _counter == null ? 0 : Volatile.Read(ref *_counter);
            return IsDead(raw) || _owner is { IsFreed: true } ? 0 : raw;
        }
    }

    /// <summary>Sets the count of an object that nobody else knows yet (<c>refcount_set</c>).</summary>
    internal void Set(int value) => Volatile.Write(ref *_counter, value == 0 ? Dead : value);

    /// <summary>Takes a reference on behalf of somebody who already has one (<c>refcount_inc</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RefCountOutcome Inc()
    {
        var now = Interlocked.Increment(ref *_counter);
        return now > 1 ? RefCountOutcome.Counted : Saturate(now == 1 || IsDead(now));
    }

    /// <summary>Takes a reference unless the count is zero (<c>refcount_inc_not_zero</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RefCountOutcome TryIncNotZero()
    {
        var now = Interlocked.Increment(ref *_counter);
        return now > 0 ? RefCountOutcome.Counted : NotTaken(now);
    }

    /// <summary>Gives one reference back (<c>refcount_dec_and_test</c>).</summary>
    /// <returns><see cref="RefCountOutcome.Zero"/> to exactly one caller: the one who gave back the last.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RefCountOutcome DecAndTest()
    {
        var now = Interlocked.Decrement(ref *_counter);
        return now > 0 ? RefCountOutcome.Counted : GivenBack(now);
    }

    /// <inheritdoc/>
    public bool Equals(RefCount other) => _counter == other._counter;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is RefCount other && Equals(other);

    /// <summary>The count.</summary>
    public override string ToString() => Value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override int GetHashCode() => ((nint)_counter).GetHashCode();

    /// <summary>Whether both view the same counter.</summary>
    public static bool operator ==(RefCount left, RefCount right) => left.Equals(right);

    /// <summary>Whether they view different counters.</summary>
    public static bool operator !=(RefCount left, RefCount right) => !left.Equals(right);

    private static bool IsDead(int raw) => (uint)(raw - DeadLowest) < DeadWidth;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private RefCountOutcome NotTaken(int now)
    {
        if (!IsDead(now))
        {
            return Saturate(isUseAfterFree: false);
        }

        // Every attempt adds one for good: long before they leave the band they are taken back.
        if (now > Dead + DeadDriftMax)
        {
            Interlocked.CompareExchange(ref *_counter, Dead, now);
        }

        return RefCountOutcome.Zero;
    }

    // At zero two parties may meet here, or a reference may be taken meanwhile: one of them finds the zero, or none.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private RefCountOutcome GivenBack(int now)
    {
        if (now != 0)
        {
            return Saturate(now == -1 || IsDead(now));
        }

        return Interlocked.CompareExchange(ref *_counter, Dead, 0) == 0
            ? RefCountOutcome.Zero
            : RefCountOutcome.Counted;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private RefCountOutcome Saturate(bool isUseAfterFree)
    {
        Volatile.Write(ref *_counter, SaturatedValue);
        return isUseAfterFree ? RefCountOutcome.UseAfterFree : RefCountOutcome.Saturated;
    }
}
