using System.Runtime.CompilerServices;

namespace Kptr.Testing.Schedules;

/// <summary>
/// A store in a thread's store buffer. Memory shows it while its thread runs, and the old value while others do.
/// </summary>
internal abstract class HeldStore
{
    internal required nint Address { get; init; }

    internal required int SizeBytes { get; init; }

    internal required int Site { get; init; }

    internal abstract void Hide();

    internal virtual void Show() => Hide();
}

/// <inheritdoc/>
internal sealed class HeldStore<T> : HeldStore
{
    private readonly object? _holder;
    private readonly nint _offset;
    private T _other;

    /// <summary>For a store that is about to happen.</summary>
    /// <param name="holder">The object the field is in; null for memory that never moves.</param>
    /// <param name="offset">Offset in it, or the address.</param>
    internal HeldStore(object? holder, nint offset)
    {
        _holder = holder;
        _offset = offset;
        _other = Target;
    }

    private unsafe ref T Target => ref _holder is null
        ? ref Unsafe.AsRef<T>((void*)_offset)
        : ref Unsafe.As<byte, T>(ref Unsafe.AddByteOffset(ref Memory.StartOf(_holder), _offset));

    internal override void Hide() => (_other, Target) = (Target, _other);
}

/// <summary>Several words of native memory that are written at once.</summary>
internal sealed unsafe class HeldBytes : HeldStore
{
    private readonly byte[] _other;
    private readonly byte[] _spare;
    private readonly byte* _at;

    /// <summary>For a store that is about to happen.</summary>
    internal HeldBytes(nint address, int sizeBytes)
    {
        _at = (byte*)address;
        _other = new Span<byte>(_at, sizeBytes).ToArray();
        _spare = new byte[sizeBytes];
    }

    internal override void Hide()
    {
        var target = new Span<byte>(_at, _other.Length);
        target.CopyTo(_spare);
        _other.CopyTo(target);
        _spare.CopyTo(_other, 0);
    }
}

/// <summary>Where an object's fields begin.</summary>
internal static class Memory
{
    internal static ref byte StartOf(object holder) => ref Unsafe.As<Fields>(holder).First;

    internal static unsafe nint AddressOf(ref byte at) => (nint)Unsafe.AsPointer(ref at);

#pragma warning disable CS0649 // Nobody makes one: it only says where the first field of any object lies.
    private sealed class Fields
    {
        public byte First;
    }
}
