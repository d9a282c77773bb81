using System.Runtime.CompilerServices;

namespace Kptr.Execution;

/// <summary>A memory access as a type: its width, and how a value is loaded and stored.</summary>
internal unsafe interface IMem
{
    /// <summary>The width as a power of two.</summary>
    static abstract int SizeLog { get; }


    static abstract ulong Load(ulong address);

    static abstract void Store(ulong address, ulong value);
}

internal readonly unsafe struct Mem8 : IMem
{
    public static int SizeLog => 0;

    public static ulong Load(ulong address) => *(byte*)address;

    public static void Store(ulong address, ulong value) => *(byte*)address = (byte)value;
}

internal readonly unsafe struct Mem16 : IMem
{
    public static int SizeLog => 1;

    public static ulong Load(ulong address) => Unsafe.ReadUnaligned<ushort>((void*)address);

    public static void Store(ulong address, ulong value) => Unsafe.WriteUnaligned((void*)address, (ushort)value);
}

internal readonly unsafe struct Mem32 : IMem
{
    public static int SizeLog => 2;

    public static ulong Load(ulong address) => Unsafe.ReadUnaligned<uint>((void*)address);

    public static void Store(ulong address, ulong value) => Unsafe.WriteUnaligned((void*)address, (uint)value);
}

internal readonly unsafe struct Mem64 : IMem
{
    public static int SizeLog => 3;

    public static ulong Load(ulong address) => Unsafe.ReadUnaligned<ulong>((void*)address);

    public static void Store(ulong address, ulong value) => Unsafe.WriteUnaligned((void*)address, value);
}

internal readonly unsafe struct MemSx8 : IMem
{
    public static int SizeLog => 0;

    public static ulong Load(ulong address) => (ulong)(long)*(sbyte*)address;

    public static void Store(ulong address, ulong value) => Mem8.Store(address, value);
}

internal readonly unsafe struct MemSx16 : IMem
{
    public static int SizeLog => 1;

    public static ulong Load(ulong address) => (ulong)(long)Unsafe.ReadUnaligned<short>((void*)address);

    public static void Store(ulong address, ulong value) => Mem16.Store(address, value);
}

internal readonly unsafe struct MemSx32 : IMem
{
    public static int SizeLog => 2;

    public static ulong Load(ulong address) => (ulong)(long)Unsafe.ReadUnaligned<int>((void*)address);

    public static void Store(ulong address, ulong value) => Mem32.Store(address, value);
}
