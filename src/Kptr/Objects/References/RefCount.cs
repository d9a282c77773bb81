using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>What an operation on a <see cref="RefCount"/> did.</summary>
public enum RefCountOutcome
{
    /// <summary>The count moved and is above zero.</summary>
    Counted,

    /// <summary>A decrement reached zero (the caller frees the object), or an inc-not-zero found zero and did nothing.</summary>
    Zero,

    /// <summary>Fault: an increment from zero, or a decrement below it. The count is saturated.</summary>
    UseAfterFree,

    /// <summary>Fault: the count passed its maximum, or had done so before. It is saturated and its object leaks.</summary>
    Saturated,
}

/// <summary>A view of a <c>refcount_t</c> in a kernel object's own memory, where a program reads it too.</summary>
/// <remarks>
/// Lock-free. A count never comes back from zero; a faulty operation pins it at <see cref="SaturatedValue"/>, so that the
/// object leaks instead of being freed under somebody. Kernel: <c>include/linux/refcount.h</c> (6.12).
/// </remarks>
public readonly unsafe struct RefCount : IEquatable<RefCount>
{
    /// <summary>Where a faulty count is pinned: half-way between the overflow points (<c>REFCOUNT_SATURATED</c>).</summary>
    public const int SaturatedValue = int.MinValue / 2;

    private readonly int* _counter;

    /// <summary>Views the four bytes at <paramref name="address"/>, which must outlive the view.</summary>
    internal RefCount(ulong address)
    {
        _counter = (int*)address;
    }

    /// <summary>The count now.</summary>
    public int Value => Volatile.Read(ref *_counter);

    /// <summary>Sets the count of an object that nobody else knows yet (<c>refcount_set</c>).</summary>
    public void Set(int value) => Volatile.Write(ref *_counter, value);

    /// <summary>Takes a reference on behalf of somebody who already has one (<c>refcount_inc</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RefCountOutcome Inc()
    {
        var now = Interlocked.Increment(ref *_counter);
        return now > 1 ? RefCountOutcome.Counted : Saturate(now == 1 ? RefCountOutcome.UseAfterFree : RefCountOutcome.Saturated);
    }

    /// <summary>Takes a reference unless the count is zero (<c>refcount_inc_not_zero</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RefCountOutcome TryIncNotZero()
    {
        // The comparison is with next - 1, because keeping old alive across the locked instruction costs a spill around it.
        var counter = _counter;
        var old = *counter;
        while (old > 0 && old < int.MaxValue)
        {
            var next = old + 1;
            old = Interlocked.CompareExchange(ref *counter, next, old);
            if (old == next - 1)
            {
                return RefCountOutcome.Counted;
            }
        }

        return old == 0 ? RefCountOutcome.Zero : Saturate(RefCountOutcome.Saturated);
    }

    /// <summary>Gives one reference back (<c>refcount_dec_and_test</c>).</summary>
    /// <returns><see cref="RefCountOutcome.Zero"/> to exactly one caller: the one who gave back the last.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RefCountOutcome DecAndTest()
    {
        var now = Interlocked.Decrement(ref *_counter);
        return now > 0 ? RefCountOutcome.Counted
            : now == 0 ? RefCountOutcome.Zero
            : Saturate(now == -1 ? RefCountOutcome.UseAfterFree : RefCountOutcome.Saturated);
    }

    /// <inheritdoc/>
    public bool Equals(RefCount other) => _counter == other._counter;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is RefCount other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ((nint)_counter).GetHashCode();

    /// <summary>Whether both view the same counter.</summary>
    public static bool operator ==(RefCount left, RefCount right) => left.Equals(right);

    /// <summary>Whether they view different counters.</summary>
    public static bool operator !=(RefCount left, RefCount right) => !left.Equals(right);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private RefCountOutcome Saturate(RefCountOutcome why)
    {
        Volatile.Write(ref *_counter, SaturatedValue);
        return why;
    }
}
