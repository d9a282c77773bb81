using System.Globalization;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.KernelSelftests;

/// <summary>Load flags and log levels that selftests ask for in declaration tags; <c>!</c> takes a flag away.</summary>
internal static class LoadFlagTags
{
    private const string Prefix = "comment:test_prog_flags=";
    private const string LevelPrefix = "comment:test_log_level=";

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
        for (var id = 1; spec.Btf is { } btf && id < btf.TypeCount; id++)
        {
            if (btf[id] is not { Kind: BtfKind.DeclTag, ComponentIdx: -1 } tag
                || !tag.Name.StartsWith(Prefix, StringComparison.Ordinal))
            {
                continue;
            }

            var value = tag.Name[Prefix.Length..];
            var bit = BitOf(value.TrimStart('!'));
            var (set, clear) = found.GetValueOrDefault(tag.Ref.Name);
            found[tag.Ref.Name] = value[0] == '!' ? (set, clear | bit) : (set | bit, clear);
        }

        return found;
    }

    /// <summary>Log levels that selftests ask for, by function.</summary>
    public static Dictionary<string, int> ReadLogLevels(ObjectSpec spec)
    {
        var found = new Dictionary<string, int>();
        for (var id = 1; spec.Btf is { } btf && id < btf.TypeCount; id++)
        {
            if (btf[id] is { Kind: BtfKind.DeclTag, ComponentIdx: -1 } tag
                && tag.Name.StartsWith(LevelPrefix, StringComparison.Ordinal))
            {
                found[tag.Ref.Name] = int.Parse(tag.Name.AsSpan(LevelPrefix.Length), CultureInfo.InvariantCulture);
            }
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
