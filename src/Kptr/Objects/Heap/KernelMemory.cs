using System.Runtime.InteropServices;
using System.Text;
using Kptr.Diagnostics;

namespace Kptr.Objects;

/// <summary>Fields of kernel structs, whatever width the kernel's BTF gives them.</summary>
internal static unsafe class KernelMemory
{
    private const int ShortBytesMax = 256;

    internal static ulong Get(ulong address, NativeField field)
    {
        var at = (byte*)address + field.OffsetBytes;
        return field.SizeBytes switch
        {
            1 => Volatile.Read(ref *at),
            2 => Volatile.Read(ref *(ushort*)at),
            4 => Volatile.Read(ref *(uint*)at),
            _ => Volatile.Read(ref *(ulong*)at),
        };
    }

    internal static void Put(ulong address, NativeField field, ulong value)
    {
        var at = (byte*)address + field.OffsetBytes;
        switch (field.SizeBytes)
        {
            case 1:
                Volatile.Write(ref *at, (byte)value);
                break;
            case 2:
                Volatile.Write(ref *(ushort*)at, (ushort)value);
                break;
            case 4:
                Volatile.Write(ref *(uint*)at, (uint)value);
                break;
            case 8:
                Volatile.Write(ref *(ulong*)at, value);
                break;
            default:
                Invariant.Fail($"a field of {field.SizeBytes} bytes is no integer");
                break;
        }
    }

    /// <summary>
    /// Copies bytes out; numbers (1, 2, 4 or 8 aligned bytes) whole, as the compiler's code reads them.
    /// </summary>
    internal static void CopyOut(ulong address, Span<byte> target)
    {
        if (IsNumber(address, target.Length))
        {
            var value = Get(address, new(0, target.Length));
            MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(ref value))[..target.Length].CopyTo(target);
            return;
        }

        new ReadOnlySpan<byte>((void*)address, target.Length).CopyTo(target);
    }

    /// <summary>Copies bytes in; numbers whole, as above.</summary>
    internal static void CopyIn(ulong address, ReadOnlySpan<byte> source)
    {
        if (IsNumber(address, source.Length))
        {
            var value = 0UL;
            source.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
            Put(address, new(0, source.Length), value);
            return;
        }

        source.CopyTo(new Span<byte>((void*)address, source.Length));
    }

    private static bool IsNumber(ulong address, int sizeBytes) =>
        sizeBytes is 1 or 2 or 4 or 8 && address % (uint)sizeBytes == 0;

    /// <summary>Writes a string that ends with a zero byte, cut to fit.</summary>
    internal static void PutString(ulong address, NativeField field, string value)
    {
        var room = new Span<byte>((byte*)address + field.OffsetBytes, field.SizeBytes);
        room.Clear();
        var bytesMax = Encoding.UTF8.GetMaxByteCount(value.Length);
        var bytes = bytesMax <= ShortBytesMax ? stackalloc byte[bytesMax] : new byte[bytesMax];
        var length = Encoding.UTF8.GetBytes(value, bytes);
        bytes[..Math.Min(length, field.SizeBytes - 1)].CopyTo(room);
    }

    internal static string GetString(ulong address, NativeField field)
    {
        var bytes = new ReadOnlySpan<byte>((byte*)address + field.OffsetBytes, field.SizeBytes);
        var end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }
}
