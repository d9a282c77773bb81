using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

/// <summary>An array map whose values are C# structs.</summary>
/// <typeparam name="TValue">The value; its <see cref="Kptr{T}"/> and <see cref="BpfSpinLock"/> fields are the
/// special fields.</typeparam>
public sealed unsafe class ArrayMap<[DynamicallyAccessedMembers(StructFields.Kept)] TValue>
    : ArrayMap, ITypedMap<int, TValue>
    where TValue : unmanaged
{
    private readonly byte* _base;
    private readonly int _strideBytes;

    /// <summary>Makes an array.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="maxEntries">Number of values.</param>
    /// <param name="name">Its name, for reports.</param>
    /// <param name="flags">Creation flags.</param>
    /// <exception cref="MapCreateException">The kernel refuses it.</exception>
    public ArrayMap(KernelCore core, uint maxEntries, string name = "array", MapFlags flags = MapFlags.None)
        : base(core, StructSpec.Of<int, TValue>(core, name, BpfMapType.Array, maxEntries, flags))
    {
        Length = maxEntries;
        _base = (byte*)Values.ValueOf(0);
        _strideBytes = Values.StrideBytes;
    }

    BpfMap ITypedMap<int, TValue>.Map => this;

    /// <summary>Number of values.</summary>
    public uint Length { get; }

    /// <summary>A value in live memory.</summary>
    /// <param name="index">Its index.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such index.</exception>
    public ref TValue this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            if (index >= Length)
            {
                ThrowNoSuchIndex(index);
            }

            return ref Unsafe.AsRef<TValue>(_base + ((nint)index * _strideBytes));
        }
    }

    /// <summary>Writes a value over, as user space does: its special fields end, they are not written.</summary>
    public Errno Update(uint index, in TValue value, MapUpdateFlags flags = MapUpdateFlags.Any) => UpdateElem(
        new ReadOnlySpan<byte>(&index, sizeof(uint)),
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(in value, 1)), flags);

    private static void ThrowNoSuchIndex(uint index) =>
        throw new ArgumentOutOfRangeException(nameof(index), index, "no such index");
}
