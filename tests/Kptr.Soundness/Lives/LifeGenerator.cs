using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Soundness.Lives;

/// <summary>Lives of maps at random: what programs and user space do to one until it ends.</summary>
internal static partial class LifeGenerator
{
    private const int StepsMin = 4;
    private const int StepsMax = 24;
    private const int OddOneIn = 12;

    private static readonly MapUpdateFlags[] s_flags =
    [
        MapUpdateFlags.Any, MapUpdateFlags.Any, MapUpdateFlags.Any, MapUpdateFlags.NoExist, MapUpdateFlags.Exist,
        MapUpdateFlags.Lock,
    ];

    private static readonly MapUpdateFlags[] s_odd =
    [
        (MapUpdateFlags)3, MapUpdateFlags.Lock | MapUpdateFlags.NoExist, MapUpdateFlags.Lock | MapUpdateFlags.Exist,
        MapUpdateFlags.Cpu, MapCpu.Only(1), MapCpu.Only(1) | MapUpdateFlags.Exist, MapCpu.Only(LifeLayout.CpuCount),
        MapUpdateFlags.AllCpus, MapUpdateFlags.AllCpus | MapUpdateFlags.NoExist, (MapUpdateFlags)32,
        (MapUpdateFlags)(1UL << 32), (MapUpdateFlags)(1UL << 63),
    ];

    /// <summary>The life that a seed means, of a map that the kernel has.</summary>
    internal static IEnumerable<LifeStep> Generate(int seed, KernelProfile profile)
    {
        var random = new Random(seed);
        var known = Enumerable.Range(0, LifeLayout.Maps.Length)
            .Where(i => LifeLayout.IsKnown(LifeLayout.Maps[i], profile));
        var number = random.GetItems(known.ToArray(), 1)[0];
        var map = LifeLayout.Maps[number];
        var inner = map.InnerMap is { } spec ? LifeLayout.AllMaps.IndexOf(spec) : 0;
        yield return LifeStep.Of('#', number, map.KeySize, LifeLayout.UserBytes(map), inner,
            LifeLayout.Hidden(map).Start.Value, LifeLayout.Hidden(map).End.Value);
        var kind = KindOf(map, profile);
        var owners = new OwnerState[LifeLayout.Entries(map) + 1];
        for (var left = random.Next(StepsMin, StepsMax) * kind.Length; left > 0; left--)
        {
            foreach (var step in kind.Step(map, random, owners))
            {
                yield return step;
            }
        }

        yield return LifeStep.Of('.');
    }

    private static LifeStep AnyStep(MapSpec map, Random random, LifeOp[] ops, int keys)
    {
        var entries = LifeLayout.Entries(map);
        var key = random.Next(keys);
        var value = (ulong)random.Next(1, 1000);
        var flags = Flags(random);
        switch (random.Next(23))
        {
            case < 9:
                var op = ops[random.Next(ops.Length)];
                flags = op is LifeOp.Update || random.Next(OddOneIn) == 0 ? flags : MapUpdateFlags.Any;
                return LifeStep.Of('P', (int)op, key, value, (ulong)flags, random.Next(LifeLayout.CpuCount + 1));
            case < 13:
                return LifeStep.Of('U', key, (ulong)flags, Hex(LifeLayout.Value(map, value)));
            case 13:
                return LifeStep.Of('G', key, (ulong)ReadFlags(random));
            case 14:
                return LifeStep.Of('T', key, (ulong)ReadFlags(random));
            case 15:
                return LifeStep.Of('D', key);
            case 16:
                return LifeStep.Of('W');
            case 17:
                // Room for all: where a bucket does not fit depends on the map's seed.
                return LifeStep.Of(random.Next(2) == 0 ? 'L' : 'M', entries * 2, (ulong)ReadFlags(random));
            case 18:
                return random.Next(2) == 0
                    ? LifeStep.Of('X', random.Next(entries + 1), (ulong)ReadFlags(random))
                    : LifeStep.Of('S', random.Next(entries + 1), (ulong)ReadFlags(random),
                        Hex(LifeLayout.Value(map, value)));
            default:
                return LifeStep.Of(random.Next(OddOneIn) == 0 ? 'F' : 'C');
        }
    }

    private static MapUpdateFlags Flags(Random random) =>
        random.Next(OddOneIn) == 0 ? s_odd[random.Next(s_odd.Length)] : s_flags[random.Next(s_flags.Length)];

    private static MapUpdateFlags ReadFlags(Random random) =>
        random.Next(4) == 0 ? Flags(random) : MapUpdateFlags.Any;

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
