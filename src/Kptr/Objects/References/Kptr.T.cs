using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>
/// A referenced kptr in a map value: 8 bytes that hold an object's address or zero, and own one reference on it.
/// </summary>
/// <remarks>
/// A C# struct with such fields <em>is</em> the map value: programs and C# exchange the same bytes. Never copy a value that
/// holds one. Kernel: a field tagged <c>__kptr</c>.
/// </remarks>
/// <typeparam name="T">The kind of object.</typeparam>
[SuppressMessage("Usage", "CA1815", Justification = "a slot has identity, not equality")]
public struct Kptr<T>
    where T : KernelObject
{
    private ulong _address;

    /// <summary>Whether the slot is empty at this moment.</summary>
    public readonly bool IsNull => Volatile.Read(in _address) == 0;

    /// <summary>Puts <paramref name="next"/> into the slot and takes out what was there, in one atomic step.</summary>
    /// <param name="next">The reference to move in, dead for the caller afterwards; null empties the slot.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>The reference that the slot owned, now the caller's; null if it was empty.</returns>
    /// <remarks>Kernel: <c>bpf_kptr_xchg</c> (kernel/bpf/helpers.c, 6.12).</remarks>
    [UnscopedRef]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KernelRef<T>? Exchange(KernelRef<T>? next, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
    {
        // Where references are followed, each has a token: no need to look for the object.
        var moved = next.GetValueOrDefault();
        if (moved.Token is not null)
        {
            return ExchangeSlow(moved, file, line);
        }

        var old = Interlocked.Exchange(ref _address, moved.Address);
        if (old == 0)
        {
            return null;
        }

        return HeapChunk.IsFollowing(old) ? TakenSlow(old, file, line) : new KernelRef<T>(HeapHeader.WrapperOf(old)!, null, old);
    }

    /// <summary>The object in the slot, without a reference: good only inside an RCU reader. Null if empty.</summary>
    public readonly T? Peek()
    {
        var address = Volatile.Read(in _address);
        return address == 0 ? null : (T?)HeapHeader.WrapperOf(address);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe KernelRef<T>? TakenSlow(ulong old, string file, int line)
    {
        if (HeapHeader.WrapperOf(old) is not { } obj)
        {
            // Freed under the slot: that was reported as an underflow when it happened.
            return null;
        }

        return new(obj, obj.Ledger.TakenFromSlot(obj, (ulong)Unsafe.AsPointer(ref _address), obj.Core.SiteHere(file, line)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe KernelRef<T>? ExchangeSlow(KernelRef<T> next, string file, int line)
    {
        var obj = next.Object!;
        var slot = (ulong)Unsafe.AsPointer(ref _address);
        var old = obj.Ledger.ExchangeFromCSharp(slot, obj, next.Token, obj.Core.SiteHere(file, line), out var token);
        return old is null ? null : new KernelRef<T>(old, token);
    }
}
