using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Elf.Linking;

/// <summary>
/// Fills the <c>.kconfig</c> map from the kernel's configuration and from what libbpf makes up (<c>LINUX_...</c>).
/// </summary>
internal static class KconfigWriter
{
    public static MapSpec Fill(
        MapSpec map, ImmutableArray<ExternSpec> externs, KernelSpec kernel, ref Diagnostic? fault)
    {
        var value = new byte[map.ValueSize];
        foreach (var spec in externs.Where(e => e.Kconfig is not null))
        {
            var slot = spec.Kconfig!;
            var text = TextOf(spec, kernel);
            var isWritten = text is null
                ? spec.IsWeak && (IsOption(spec) || IsVirtual(spec))
                : TryWrite(value.AsSpan(slot.OffsetBytes, slot.SizeBytes), slot, text);
            if (!isWritten)
            {
                fault ??= new(
                    DiagCode.KconfigUnresolved,
                    text is not null
                        ? $"extern (kcfg) '{spec.Name}': value '{text}' does not fit"
                        : IsOption(spec)
                            ? $"extern '{spec.Name}' (strong): not resolved"
                            : $"extern (kcfg) '{spec.Name}': unrecognized virtual extern")
                {
                    Section = ".kconfig",
                    Suggestion = "Give the kernel a value for it in KernelSpec.Kconfig, or declare it __weak.",
                };
            }
        }

        return map with { InitialValue = [.. value] };
    }

    private static bool IsOption(ExternSpec spec) => spec.Name.StartsWith("CONFIG_", StringComparison.Ordinal);

    // Those that a later libbpf may make up; a weak one may be missing.
    private static bool IsVirtual(ExternSpec spec) => spec.Name.StartsWith("LINUX_", StringComparison.Ordinal);

    private static string? TextOf(ExternSpec spec, KernelSpec kernel) => spec.Name switch
    {
        "LINUX_KERNEL_VERSION" => kernel.Profile.VersionCode.ToString(CultureInfo.InvariantCulture),
        "LINUX_HAS_BPF_COOKIE" or "LINUX_HAS_SYSCALL_WRAPPER" => "1",
        _ => kernel.Kconfig.GetValueOrDefault(spec.Name),
    };

    private static bool TryWrite(Span<byte> to, KconfigSlot slot, string text)
    {
        if (text is "y" or "n" or "m")
        {
            return TryWriteTristate(to, slot, text[0]);
        }

        if (text.StartsWith('"'))
        {
            return TryWriteString(to, slot, text);
        }

        var isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var digits = isHex ? text.AsSpan(2) : text;
        if (!isHex && long.TryParse(
            digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var signed))
        {
            return TryWriteNumber(to, slot, (ulong)signed);
        }

        return ulong.TryParse(digits, isHex
            ? NumberStyles.AllowHexSpecifier
            : NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && TryWriteNumber(to, slot, number);
    }

    private static bool TryWriteTristate(Span<byte> to, KconfigSlot slot, char value)
    {
        switch (slot.Type)
        {
            case KconfigType.Bool when value != 'm':
                to[0] = value == 'y' ? (byte)1 : (byte)0;
                return true;
            case KconfigType.Tristate:
                to[0] = value switch { 'n' => 0, 'y' => 1, _ => 2 };
                return true;
            case KconfigType.Char:
                to[0] = (byte)value;
                return true;
            default:
                return false;
        }
    }

    private static bool TryWriteString(Span<byte> to, KconfigSlot slot, string text)
    {
        if (slot.Type != KconfigType.CharArray || text.Length < 2 || !text.EndsWith('"'))
        {
            return false;
        }

        // What does not fit is cut, and a NUL always ends it.
        var bytes = Encoding.UTF8.GetBytes(text[1..^1]);
        bytes.AsSpan(0, Math.Min(bytes.Length, to.Length - 1)).CopyTo(to);
        return true;
    }

    private static bool TryWriteNumber(Span<byte> to, KconfigSlot slot, ulong value)
    {
        if (slot.Type is not (KconfigType.Int or KconfigType.Char or KconfigType.Bool)
            || (slot.Type == KconfigType.Bool && value > 1))
        {
            return false;
        }

        var bits = slot.SizeBytes * 8;
        var isInRange = bits == 64
            || (slot.IsSigned ? value + (1UL << (bits - 1)) < 1UL << bits : value >> bits == 0);
        if (!isInRange)
        {
            return false;
        }

        Span<byte> all = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(all, value);
        all[..slot.SizeBytes].CopyTo(to);
        return true;
    }
}
