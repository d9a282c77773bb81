using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Maps;

// Which C# structs may be laid over a map's memory: whoever holds a ref writes its bytes with nobody looking.
public abstract partial class BpfMap
{
    private const BtfFieldKind AddressKinds = BtfFieldKind.Kptr | BtfFieldKind.Uptr | BtfFieldKind.GraphRoot;
    private Type? _view;

    /// <summary>
    /// Throws unless live values may be seen as <typeparamref name="TValue"/>, by keys of <typeparamref name="TKey"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CheckView<TKey, TValue>()
        where TKey : unmanaged
        where TValue : unmanaged
    {
        if (_view != typeof(View<TKey, TValue>))
        {
            CheckViewSlow<TKey, TValue>();
        }
    }

    /// <summary>Throws unless keys may be read and written as <typeparamref name="TKey"/>.</summary>
    internal void CheckKeyType<TKey>()
        where TKey : unmanaged
    {
        CheckStructSize<TKey>("key", KeySize);
        PlainStruct.Check<TKey>();
    }

    /// <summary>Throws unless copies of values may be seen as <typeparamref name="TValue"/>.</summary>
    /// <param name="sizeBytes">Bytes of the value, or of those of all CPUs.</param>
    internal void CheckCopyType<TValue>(int sizeBytes)
        where TValue : unmanaged
    {
        CheckStructSize<TValue>("value", sizeBytes);
        if (!PlainStruct.Is<TValue>())
        {
            CheckValueType<TValue>();
        }
    }

    // Both ways: a kptr field over plain bytes would follow what user space wrote there, and plain bytes over a kptr
    // could be written with what nobody owns.
    [UnconditionalSuppressMessage(
        "Trimming", "IL2091",
        Justification = "of a struct whose map was made from it the fields are kept; of another, "
            + "unseen kptrs are not the map's")]
    private void CheckValueType<TValue>()
        where TValue : unmanaged
    {
        CheckStructSize<TValue>("value", ValueSize);
        var mine = Record.Fields.Where(f => (f.Kind & AddressKinds) != 0).Select(Signature);
        var theirs = StructRecord.Of<TValue>(Core.Spec).Fields
            .Where(f => (f.Kind & AddressKinds) != 0)
            .Select(Signature);
        if (!mine.SequenceEqual(theirs))
        {
            throw new ArgumentException(
                $"the special fields of {this} are not those of {typeof(TValue).Name}", nameof(TValue));
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CheckViewSlow<TKey, TValue>()
        where TKey : unmanaged
        where TValue : unmanaged
    {
        if (!HasValuesInMemory)
        {
            throw new InvalidOperationException($"the values of {this} are other objects, not bytes");
        }

        CheckKeyType<TKey>();
        CheckValueType<TValue>();
        _view = typeof(View<TKey, TValue>);
    }

    private void CheckStructSize<T>(string what, int sizeBytes)
        where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() != sizeBytes)
        {
            throw new ArgumentException(
                $"{this} has {what}s of {sizeBytes} bytes; {typeof(T).Name} has {Unsafe.SizeOf<T>()}", what);
        }
    }

    private static (BtfFieldKind Kind, int OffsetBytes, BtfType Pointee) Signature(BtfField field) =>
        (field.Kind, field.OffsetBytes, field.Pointee);

    private static class View<TKey, TValue>;
}
