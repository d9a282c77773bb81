using System.Globalization;
using Kptr.Verifier.State;

namespace Kptr.Verifier;

/// <content>Words of messages and logs.</content>
internal sealed partial class VerifierRun
{
    private static readonly string[] BaseNames =
    [
        "?", "scalar", "ctx", "map_ptr", "map_value", "map_key", "fp", "pkt_meta", "pkt", "pkt_end",
        "flow_keys", "sock",
        "sock_common", "tcp_sock", "tp_buffer", "xdp_sock", "ptr_", "mem", "arena", "buf", "func", "dynptr_ptr",
    ];

    /// <summary>The kernel's name of a register type: <c>map_value_or_null</c>, <c>rcu_ptr_or_null_</c>...</summary>
    public static string RegTypeName(RegType type)
    {
        var prefix = (type.Has(RegType.MemRdOnly) ? "rdonly_" : "") + (type.Has(RegType.MemRingbuf) ? "ringbuf_" : "")
            + (type.Has(RegType.MemUser) ? "user_" : "") + (type.Has(RegType.MemPercpu) ? "percpu_" : "")
            + (type.Has(RegType.MemRcu) ? "rcu_" : "") + (type.Has(RegType.PtrUntrusted) ? "untrusted_" : "")
            + (type.Has(RegType.PtrTrusted) ? "trusted_" : "");
        var postfix = !type.MayBeNull() ? "" : type.Base() == RegType.PtrToBtfId ? "or_null_" : "_or_null";
        return prefix + BaseNames[(int)type.Base()] + postfix;
    }

    /// <summary>What messages call argument <paramref name="i"/>, counted from 0, of a call.</summary>
    /// <remarks><c>old</c>: the word before the number, where a kernel numbers arguments.</remarks>
    internal string ArgName(int i, string old = "arg#") =>
        Kernel.Profile.NamesArgsByRegister ? $"R{i + 1}" : $"{old}{i}";

    /// <summary>What messages call the argument of a helper in a register.</summary>
    private string HelperArgName(int regno) => Kernel.Profile.NamesArgsByRegister ? $"R{regno}" : $"arg{regno}";

    /// <summary>What messages call a buffer and the size after it.</summary>
    private string ArgPair(int i) =>
        Kernel.Profile.NamesArgsByRegister ? $"R{i + 1} and R{i + 2}" : $"arg#{i} arg#{i + 1}";

    /// <summary>The known bits of a register's variable part, as the kernel prints them.</summary>
    internal static string Tn(in RegState reg)
    {
        var bits = reg.Var.Bits;
        if (bits.IsConst)
        {
            return bits.Value <= ushort.MaxValue
                ? bits.Value.ToString(CultureInfo.InvariantCulture) : $"{Hex(bits.Value)}";
        }

        return $"({Hex(bits.Value)}; {Hex(bits.Mask)})";
    }

    /// <summary>The kernel's <c>%#llx</c>: zero has the prefix too, unlike C's.</summary>
    internal static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    /// <summary>C source position of an instruction, or null.</summary>
    internal string? SourceAt(int insnIdx) => LineAt(insnIdx) is { } line
        ? string.Create(CultureInfo.InvariantCulture, $"{ShortFile(line.File)}:{line.Line}") : null;

    internal static string ShortFile(string file) => file[(file.LastIndexOf('/') + 1)..];

    /// <summary>The line record that covers an instruction, or null.</summary>
    internal Specs.LineInfo? LineAt(int insnIdx)
    {
        var lines = Prog.LineInfos;
        int lo = 0, hi = lines.Length - 1;
        if (hi < 0 || lines[0].InsnIdx > insnIdx)
        {
            return null;
        }

        while (lo < hi)
        {
            var mid = lo + ((hi - lo + 1) / 2);
            if (lines[mid].InsnIdx <= insnIdx)
            {
                lo = mid;
            }
            else
            {
                hi = mid - 1;
            }
        }

        return lines[lo];
    }
}
