using System.Runtime.CompilerServices;
using System.Text;
using Kptr.Btf;
using Kptr.Objects;

namespace Kptr;

/// <summary>How one argument of a hook, a register, becomes what a handler in C# takes.</summary>
internal static class HookArg
{
    private const int StringBytesMax = 4096;

    private static readonly Dictionary<Type, string[]> s_structs = new()
    {
        [typeof(TaskStruct)] = ["task_struct"],
        [typeof(Cgroup)] = ["cgroup"],
        [typeof(MmStruct)] = ["mm_struct"],
        [typeof(KernelFile)] = ["file"],
        [typeof(Sock)] = ["sock", "sock_common", "inet_sock", "tcp_sock", "udp_sock", "unix_sock"],
        [typeof(NfConn)] = ["nf_conn"],
        [typeof(Cpumask)] = ["cpumask", "bpf_cpumask"],
        [typeof(BpfKey)] = ["bpf_key"],
        [typeof(CryptoCtx)] = ["bpf_crypto_ctx"],
    };

    /// <summary>Reads arguments of a declared type as <typeparamref name="T"/>.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="declared">The argument's type in the kernel's BTF; null where a test made the hook up.</param>
    /// <param name="where">Which argument, for the message.</param>
    /// <typeparam name="T">What the handler takes.</typeparam>
    /// <exception cref="ArgumentException">The argument is no <typeparamref name="T"/>.</exception>
    internal static Func<ulong, T> Reader<T>(KernelCore core, BtfType? declared, string where)
    {
        if (declared is { } type && !Fits(typeof(T), type.SkipModifiers()))
        {
            throw new ArgumentException(
                $"{where} is {Wanted(type.SkipModifiers())}, not {Shown(typeof(T))}");
        }

        return typeof(T) == typeof(string) ? (Func<ulong, T>)(object)new Func<ulong, string?>(a => TextAt(core, a))
            : typeof(T) == typeof(bool) ? (Func<ulong, T>)(object)new Func<ulong, bool>(static v => (byte)v != 0)
            : typeof(T).IsAssignableTo(typeof(KernelObject))
                ? a => core.Heap.FindObject(a) is T found ? found : default!
            : IsNumber(typeof(T)) ? static v => Unsafe.As<ulong, T>(ref v)
            : throw new ArgumentException($"{where} cannot be taken as {Shown(typeof(T))}");
    }

    private static bool Fits(Type type, BtfType declared) => declared.Kind switch
    {
        BtfKind.Int when declared.Int.IsBool => type == typeof(bool) || type == typeof(byte),
        BtfKind.Int => IsNumber(type) && SizeOf(type) == declared.SizeBytes
            && (type.IsEnum || declared.Int.IsChar || IsSigned(type) == declared.Int.IsSigned),
        BtfKind.Enum or BtfKind.Enum64 => IsNumber(type) && SizeOf(type) == declared.SizeBytes,
        BtfKind.Ptr => type == typeof(ulong) || FitsPointer(type, declared.Ref.SkipModifiers()),
        _ => false,
    };

    private static bool FitsPointer(Type type, BtfType to) => to.Kind switch
    {
        BtfKind.Int => type == typeof(string) && to.SizeBytes == 1,
        BtfKind.Struct or BtfKind.Fwd => s_structs.TryGetValue(type, out var names)
            ? names.Contains(to.Name)
            : type.IsAssignableTo(typeof(KernelObject)),
        _ => false,
    };

    private static string Wanted(BtfType declared)
    {
        switch (declared.Kind)
        {
            case BtfKind.Ptr when declared.Ref.SkipModifiers() is { IsComposite: true } to:
                var known = s_structs.FirstOrDefault(s => s.Value.Contains(to.Name)).Key;
                return $"struct {to.Name} *, which is {known?.Name ?? nameof(KernelObject)} or ulong";
            case BtfKind.Ptr:
                return declared.Ref.SkipModifiers() is { Kind: BtfKind.Int, SizeBytes: 1 }
                    ? "char *, which is string or ulong" : "a pointer, which is ulong";
            case BtfKind.Int when declared.Int.IsBool:
                return "bool";
            case BtfKind.Int or BtfKind.Enum or BtfKind.Enum64:
                var isSigned = declared.Kind == BtfKind.Int ? declared.Int.IsSigned : declared.KindFlag;
                return (declared.SizeBytes, isSigned) switch
                {
                    (1, true) => "sbyte",
                    (1, false) => "byte",
                    (2, true) => "short",
                    (2, false) => "ushort",
                    (4, true) => "int",
                    (4, false) => "uint",
                    (_, true) => "long",
                    _ => "ulong",
                };
            default:
                return $"a {declared.Kind}, which handlers cannot take";
        }
    }

    private static string Shown(Type type) => type.IsPrimitive ? type.Name.ToLowerInvariant() switch
    {
        "int32" => "int",
        "uint32" => "uint",
        "int64" => "long",
        "uint64" => "ulong",
        "int16" => "short",
        "uint16" => "ushort",
        "boolean" => "bool",
        var name => name,
    }
    : type.Name;

    private static bool IsNumber(Type type) =>
        type.IsEnum || type == typeof(byte) || type == typeof(sbyte) || type == typeof(short) || type == typeof(ushort)
            || type == typeof(int) || type == typeof(uint) || type == typeof(long) || type == typeof(ulong);

    private static int SizeOf(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.Byte or TypeCode.SByte => 1,
        TypeCode.Int16 or TypeCode.UInt16 => 2,
        TypeCode.Int32 or TypeCode.UInt32 => 4,
        _ => 8,
    };

    private static bool IsSigned(Type type) =>
        Type.GetTypeCode(type) is TypeCode.SByte or TypeCode.Int16 or TypeCode.Int32 or TypeCode.Int64;

    // Where no memory of the kernel is, there is no string; one without an end ends with its memory.
    private static unsafe string? TextAt(KernelCore core, ulong address)
    {
        if (!core.Heap.TryFindRegion(address, 1, out var region))
        {
            return null;
        }

        var room = (int)Math.Min(StringBytesMax, region.Address + (ulong)region.SizeBytes - address);
        var bytes = new ReadOnlySpan<byte>((byte*)address, room);
        return Encoding.UTF8.GetString(bytes[..(bytes.IndexOf((byte)0) is >= 0 and var end ? end : room)]);
    }
}
