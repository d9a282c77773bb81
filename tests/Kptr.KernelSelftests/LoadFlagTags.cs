using System.Globalization;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>Load flags and log levels that selftests ask for in declaration tags; <c>!</c> takes a flag away.</summary>
internal static class LoadFlagTags
{
    private static readonly Dictionary<string, uint> Bits = new()
    {
        ["BPF_F_STRICT_ALIGNMENT"] = 1u << 0,
        ["BPF_F_ANY_ALIGNMENT"] = 1u << 1,
        ["BPF_F_TEST_RND_HI32"] = 1u << 2,
        ["BPF_F_TEST_STATE_FREQ"] = 1u << 3,
        ["BPF_F_SLEEPABLE"] = 1u << 4,
        ["BPF_F_XDP_HAS_FRAGS"] = 1u << 5,
        ["BPF_F_TEST_REG_INVARIANTS"] = 1u << 7,
    };

    /// <summary>Flags to set and to clear, by function.</summary>
    public static Dictionary<string, (uint Set, uint Clear)> Read(ObjectSpec spec)
    {
        var found = new Dictionary<string, (uint Set, uint Clear)>();
        foreach (var (function, value) in TestTags.Of(spec, "test_prog_flags="))
        {
            var bit = BitOf(value.TrimStart('!'));
            var (set, clear) = found.GetValueOrDefault(function);
            found[function] = value[0] == '!' ? (set, clear | bit) : (set | bit, clear);
        }

        return found;
    }

    /// <summary>A program as it is loaded with flags set and others cleared.</summary>
    public static ProgSpec WithFlags(this ProgSpec prog, uint set, uint clear = 0) => prog with
    {
        LoadFlags = (prog.LoadFlags & ~clear) | set,
        IsSleepable = prog.IsSleepable || (set & Bits["BPF_F_SLEEPABLE"]) != 0,
    };

    /// <summary>Log levels that selftests ask for, by function.</summary>
    public static Dictionary<string, int> ReadLogLevels(ObjectSpec spec)
    {
        var found = new Dictionary<string, int>();
        foreach (var (function, value) in TestTags.Of(spec, "test_log_level="))
        {
            found[function] = int.Parse(value, CultureInfo.InvariantCulture);
        }

        return found;
    }

    private static uint BitOf(string flag)
    {
        if (Bits.TryGetValue(flag, out var bit))
        {
            return bit;
        }

        return flag.StartsWith("0x", StringComparison.Ordinal)
            ? uint.Parse(flag[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : uint.Parse(flag, CultureInfo.InvariantCulture);
    }
}
