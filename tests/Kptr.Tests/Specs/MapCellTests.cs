using System.Globalization;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>
/// Which maps real kernels create: every type with every pair of flags, with other sizes and capacities, with
/// every pair of special fields and with other types of key and value.
/// </summary>
public class MapCellTests
{
    private const int Flags = 19;
    private readonly Dictionary<string, ulong[]> _lists = [];
    private readonly List<string> _wrong = [];
    private int _cells;
    private bool _withErrno = true;
    private KernelProfile _profile = KernelProfile.Linux6_12;

    [Theory]
    [InlineData("6.12", true)]
    [InlineData("6.1", false)]
    [InlineData("7.2", true)]
    public void Maps_OfEveryType_AreCreatedWhereTheKernelCreatesThem(string version, bool withErrno)
    {
        _withErrno = withErrno;
        _profile = CellRows.ProfileOf(version);
        var values = MapCellValues.All(_profile);
        ReadLists(version);
        foreach (var row in CellRows.Columns($"map-cells-{version}.tsv").Where(r => r[1] != "list"))
        {
            foreach (var name in row[1].Split(','))
            {
                Compare($"{name} {row[0]}", CellRows.Unpack(row[2]), CellsOf(row[0], BaseOf(name), values), values[0]);
            }
        }

        _cells.Should().BeGreaterThan(70_000);
        _wrong.Should().BeEmpty();
    }

    /// <summary>
    /// libbpf tells some types of map nothing of their key and value, and others nothing when the kernel refuses it.
    /// </summary>
    [Fact]
    public void Maps_OfAnObjectWithTypes_AreCreatedLikeThoseWithout()
    {
        var btf = new BtfBuilder("object");
        var (word, array) = (btf.AddInt("int", 4, isSigned: true), btf.AddInt("u32", 4));
        var bytes = new Dictionary<int, int>();
        int Of(int size) => bytes.TryGetValue(size, out var id) ? id
            : bytes[size] = size == 4 ? word : btf.AddArray(word, array, size / 4);
        ReadLists("6.12");
        MapSpec[] plain = [.. _lists.Keys.Where(k => k.StartsWith("base:", StringComparison.Ordinal)).Select(
            k => BaseOf(k["base:".Length..]) with { Name = k }).Where(m => m.ValueSize % 4 == 0)];
        MapSpec[] typed = [.. plain.Select(m => m with
        {
            KeyTypeId = m.KeySize == 0 ? 0 : Of(m.KeySize), ValueTypeId = m.ValueSize == 0 ? 0 : Of(m.ValueSize),
        })];
        var spec = btf.Build();
        var kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);
        var linked = ObjectLinker.Link(
            new ObjectSpec("o") { Btf = spec, Maps = [.. typed.Select(m => m with { Btf = spec })] }, kernel, new())
            .Maps;

        plain.Should().HaveCountGreaterThan(25);
        Errno Check(MapSpec map) => MapRules.Check(map, kernel.Profile);
        linked.Zip(plain).Where(p => Check(p.First) != Check(p.Second)).Select(p => $"{p.First}: {Check(p.First)}")
            .Should().BeEmpty();
    }

    private void ReadLists(string version)
    {
        foreach (var row in CellRows.Columns($"map-cells-{version}.tsv").Where(r => r[1] == "list"))
        {
            _lists.Add(row[0], [.. row[2].Split(',').Select(n => ulong.Parse(n, CultureInfo.InvariantCulture))]);
        }
    }

    private MapSpec BaseOf(string name)
    {
        var of = _lists[$"base:{name}"];
        var type = (BpfMapType)of[0];
        return new("m", type)
        {
            Flags = (MapFlags)of[1],
            KeySize = (int)of[2],
            ValueSize = (int)of[3],
            MaxEntries = (uint)of[4],
            InnerMap = type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps
                ? new("inner", BpfMapType.Array) { KeySize = 4, ValueSize = 4, MaxEntries = 1 } : null,
        };
    }

    /// <summary>The maps in the order of <c>cells/maps.c</c>; null where the BTF is refused.</summary>
    private IEnumerable<MapSpec?> CellsOf(string axis, MapSpec map, List<MapCellValues> values) => axis switch
    {
        "flags" => from a in Enumerable.Range(-1, 33)
            from b in Enumerable.Range(a + 1, 31 - a)
            from flags in a < 0 && b == 0 ? [0u, 1u] : new[] { (a < 0 ? 0 : 1u << a) | 1u << b }
            select map with { Flags = (MapFlags)flags },
        "more-flags" => WithEachFlag(map, 32),
        "sizes" => from key in _lists["keys"]
            from value in _lists["values"]
            select map with { KeySize = unchecked((int)key), ValueSize = unchecked((int)value) },
        "entries" => from max in _lists["maxes"]
            from value in _lists["few-values"]
            select map with { MaxEntries = (uint)max, ValueSize = (int)value },
        "entries-flags" => from max in _lists["few-maxes"]
            from with in WithEachFlag(map with { MaxEntries = (uint)max }, Flags)
            select with,
        "values-flags" => from value in _lists["few-values"]
            from with in WithEachFlag(map with { ValueSize = (int)value }, Flags)
            select with,
        "extra" => from extra in _lists["extras"]
            from max in _lists["few-maxes"]
            select map with { MapExtra = extra, MaxEntries = (uint)max },
        "fields" => values.Select(v => v.In(map)),
        "fields-rdonly" => values.Take(MapCellValues.Alone).Select(
            v => v.In(map with { Flags = map.Flags | MapFlags.RdOnlyProg })),
        "types" => values[0].WithTypes(map),
        _ => throw new ArgumentException($"no axis {axis}"),
    };

    private static IEnumerable<MapSpec> WithEachFlag(MapSpec map, int count) =>
        Enumerable.Range(0, count).Select(a => map with { Flags = map.Flags | (MapFlags)(1u << a) });

    private void Compare(string what, string word, IEnumerable<MapSpec?> maps, MapCellValues first)
    {
        var i = 0;
        foreach (var map in maps)
        {
            var expected = word[i++];
            var typed = map is { Btf: null } && MapBtfRules.NeedsTypes(map.Type) ? first.WithInts(map) : map;
            var said = expected == '-' ? '-' : typed is null ? 'x'
                : LetterOf(MapRules.Check(typed, _profile));
            _cells++;
            if (said != expected && !IsMachines(expected, said))
            {
                _wrong.Add($"{what} {i - 1}: kernel {expected}, here {said}: {map} {map?.Flags} {map?.MapExtra}");
            }
        }

        i.Should().Be(word.Length, what);
    }

    /// <summary>
    /// Which errno refuses a map is that of 6.12, under every profile. Memory is asked of the machine when the map is
    /// made, not of the rules.
    /// </summary>
    private bool IsMachines(char expected, char said) => (expected == 'm' && said == '+')
        || (!_withErrno && expected is not ('+' or '-' or 'x') && said is not ('+' or '-' or 'x'));

    private static char LetterOf(Errno errno) => errno switch
    {
        Errno.None => '+',
        Errno.EPERM => 'p',
        Errno.EINVAL => '.',
        Errno.E2BIG => 'b',
        Errno.ENOMEM => 'm',
        Errno.ENOTSUPP => 'n',
        Errno.EOPNOTSUPP => 'o',
        Errno.EACCES => 'a',
        Errno.EBADF => 'f',
        Errno.ERANGE => 'r',
        _ => '?',
    };
}
