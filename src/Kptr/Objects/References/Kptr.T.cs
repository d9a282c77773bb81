using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Kptr.Objects;

/// <summary>
/// A referenced kptr in a map value: 8 bytes that hold an object's address or zero, and own one reference on it.
/// </summary>
/// <remarks>
/// A C# struct with such fields <em>is</em> the map value: programs and C# exchange the same bytes. Never copy a value
/// that holds one: the copy owns nothing. Where the kernel looks for it (<see cref="MisuseChecks.Slots"/>, on by
/// default), using a copy is a reported fault that moves nothing. Kernel: a field tagged <c>__kptr</c>.
/// </remarks>
/// <typeparam name="T">The kind of object.</typeparam>
[SuppressMessage("Usage", "CA1815", Justification = "a slot has identity, not equality")]
public struct Kptr<T>
    where T : KernelObject
{
    // What lies above no address has: memory that was freed, and is poisoned.
    private const ulong AddressMax = (1UL << 48) - 1;
    private ulong _address;

    /// <summary>Whether the slot is empty at this moment.</summary>
    public readonly bool IsNull => Volatile.Read(in _address) == 0;

    /// <summary>Puts <paramref name="next"/> into the slot and takes out what was there, in one atomic step.</summary>
    /// <param name="next">The reference to move in, dead for the caller afterwards; null empties the slot.</param>
    /// <param name="file">The caller's file; leave it to the compiler.</param>
    /// <param name="line">The caller's line; leave it to the compiler.</param>
    /// <returns>
    /// The reference that the slot owned, now the caller's; null if it was empty, and after a fault: then
    /// <paramref name="next"/> stays the caller's, if it was a reference at all.
    /// </returns>
    /// <remarks>Kernel: <c>bpf_kptr_xchg</c> (kernel/bpf/helpers.c, 6.12).</remarks>
    /// <exception cref="ObjectDisposedException">The map of the slot is freed, and its memory poisoned;
    /// nothing moves.</exception>
    [UnscopedRef]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public KernelRef<T>? Exchange(
#pragma warning disable KPTR001 // ownership moves with the address, which is what this method does
        [TakesOwnership] KernelRef<T>? next, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0)
#pragma warning restore KPTR001
    {
        // Where references are followed, each has a token: no need to look for the object.
        var moved = next.GetValueOrDefault();
        if (moved.Token is not null)
        {
            return ExchangeSlow(moved, file, line);
        }

        var old = Interlocked.Exchange(ref _address, moved.Address);
        if (old - 1 >= AddressMax)
        {
            return old != 0 ? throw UndoInFreed(old, moved.Address)
                : moved.Address != 0 && HeapChunk.IsWatched(moved.Address) ? CheckPut(moved, file, line) : null;
        }

        return HeapChunk.IsWatched(old)
            ? TakenSlow(old, moved, file, line)
            : new KernelRef<T>(HeapHeader.WrapperOf(old)!, null, old);
    }

    /// <summary>Where it points; nothing there is looked at.</summary>
    public override string ToString() =>
        Volatile.Read(in _address) is var address and not 0 ? $"{typeof(T).Name} at {address:x}" : "empty";

    /// <summary>
    /// The object in the slot, without a reference: good only inside an RCU reader, and a reported fault outside.
    /// </summary>
    /// <returns>Null if the slot is empty, and for a copy of a slot, which is a fault as well.</returns>
    /// <exception cref="ObjectDisposedException">The map of the slot is freed, and its memory poisoned.</exception>
    public readonly T? Peek()
    {
        var address = Volatile.Read(in _address);
        return address - 1 >= AddressMax ? (address == 0 ? null : throw FreedSlot())
            : HeapChunk.IsWatched(address) ? PeekSlow(address) : (T?)HeapHeader.WrapperOf(address);
    }

    private static ObjectDisposedException FreedSlot() => new(nameof(Kptr<T>), "the map of this slot is freed");

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ObjectDisposedException UndoInFreed(ulong poison, ulong next)
    {
        Interlocked.CompareExchange(ref _address, poison, next);
        return FreedSlot();
    }

    // What is wrong is undone after it happened, so that kernels which look for nothing have no look at memory before
    // the atomic instruction. A copy has no other users; in a shared slot somebody may take a spent reference out
    // before it is undone, and has a fault of his own when he uses it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe KernelRef<T>? CheckPut(KernelRef<T> next, string file, int line)
    {
        var isCopy = IsCopy(next.Object!);
        if ((isCopy || HoldsSpent(next)) && Interlocked.CompareExchange(ref _address, 0, next.Address) == next.Address)
        {
            Misuse.ReportRefused(isCopy, next.Object!, file, line);
        }

        return null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe KernelRef<T>? TakenSlow(ulong old, KernelRef<T> next, string file, int line)
    {
        if (HeapHeader.WrapperOf(old) is not { } obj)
        {
            // Freed under the slot: that was reported as an underflow when it happened.
            return null;
        }

        var isCopy = IsCopy(obj);
        if ((isCopy || HoldsSpent(next))
            && Interlocked.CompareExchange(ref _address, old, next.Address) == next.Address)
        {
            Misuse.ReportRefused(isCopy, isCopy ? obj : next.Object!, file, line);
            return null;
        }

        if (!HeapChunk.IsFollowing(old))
        {
            return new(obj, null, old);
        }

        var site = obj.Core.SiteHere(file, line);
        if (obj.Ledger.TryTakeFromSlot(obj, (ulong)Unsafe.AsPointer(ref _address), site, out var token))
        {
            return new(obj, token);
        }

        Misuse.ReportUnowned(obj, site);
        return null;
    }

    // Whether the slot holds a reference that was spent before it was moved in. A count of zero alone says nothing:
    // somebody may have taken the reference out meanwhile and released it. But a count stays at zero, so if the slot
    // has the address after the zero was seen, and the address is still this object's after that, the slot holds the
    // object without a reference.
    private readonly bool HoldsSpent(KernelRef<T> next) =>
        next.Object is { } moved && moved.Count.Value == 0 && moved.Core.LooksFor(MisuseChecks.Slots)
        && Volatile.Read(in _address) == next.Address && ReferenceEquals(HeapHeader.WrapperOf(next.Address), moved);

    // Outside the memory of the object's kernel.
    private readonly unsafe bool IsCopy(KernelObject obj) =>
        obj.Core.LooksFor(MisuseChecks.Slots)
        && obj.Core.Heap.FindChunk((ulong)Unsafe.AsPointer(ref Unsafe.AsRef(in _address))) is null;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly T? PeekSlow(ulong address)
    {
        if (HeapHeader.WrapperOf(address) is not { } obj)
        {
            return null;
        }

        if (IsCopy(obj))
        {
            Misuse.ReportRefused(isCopy: true, obj, "", 0);
            return null;
        }

        Misuse.CheckReader(obj);
        return (T)obj;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private unsafe KernelRef<T>? ExchangeSlow(KernelRef<T> next, string file, int line)
    {
        var obj = next.Object!;
        var slot = (ulong)Unsafe.AsPointer(ref _address);
        if (IsCopy(obj))
        {
            Misuse.ReportRefused(isCopy: true, obj, file, line);
            return null;
        }

        if (Volatile.Read(ref _address) is not 0 and > AddressMax)
        {
            throw FreedSlot();
        }

        var old = obj.Ledger.ExchangeFromCSharp(slot, obj, next.Token, obj.Core.SiteHere(file, line), out var token);
        return old is null ? null : new KernelRef<T>(old, token);
    }
}
