using System.Runtime.CompilerServices;

namespace Kptr.Maps;

/// <summary>The plain bytes that an element gets.</summary>
internal unsafe interface IElemValue
{
    /// <summary>Writes them; special fields there keep what they hold.</summary>
    void WriteTo(byte* value);
}

/// <summary>A C# struct without special fields: a few moves.</summary>
internal readonly unsafe struct StructValue<TValue>(TValue* at) : IElemValue
    where TValue : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteTo(byte* value) => Unsafe.CopyBlockUnaligned(value, at, (uint)sizeof(TValue));
}

/// <summary>A value as the map's layout describes it.</summary>
internal readonly unsafe struct LaidOutValue(byte* at, ValueLayout layout) : IElemValue
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void WriteTo(byte* value) => layout.CopyIn(value, at);
}
