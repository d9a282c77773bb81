using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>
/// Which kinds of programs real kernels let use a map that can hold programs after programs of a first kind, cell by
/// cell.
/// </summary>
public class OwnerCellTests
{
    private static readonly BpfMapType[] s_types = [BpfMapType.ProgArray, BpfMapType.Devmap, BpfMapType.Cpumap];

    [Theory]
    [InlineData("6.12", 25_000)]
    [InlineData("6.1", 20_000)]
    [InlineData("7.2", 35_000)]
    public void Maps_ThatHoldPrograms_BelongToTheKindThatTheKernelSays(string version, int atLeast)
    {
        var file = $"owner-cells-{version}.tsv";
        var names = File.ReadLines(TestData.Path(file)).First().Split("; ")[^1].Split(' ');
        var (_, kernel, _) = CellRows.ProgOf("Xdp", profile: CellRows.ProfileOf(version));
        var protos = new Dictionary<string, int>();
        var owners = names.Select(OwnerOf).ToList();
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (label, packed) in CellRows.Read(file))
        {
            var word = CellRows.Unpack(packed);
            var first = OwnerOf(label);
            word.Should().HaveLength(names.Length * s_types.Length);
            for (var i = 0; i < word.Length; i++)
            {
                var (second, map) = (i / s_types.Length, s_types[i % s_types.Length]);
                if (word[i] == '?' || AreMembersOfTwoStructs(label, names[second]))
                {
                    continue;
                }

                cells++;
                var said = first.Admits(owners[second], map, tailCalls: false) ? '+' : '.';
                if (said != word[i])
                {
                    wrong.Add($"{map} of {label}, then {names[second]}: kernel {word[i]}, here {said}");
                }
            }
        }

        cells.Should().BeGreaterThan(atLeast);
        wrong.Should().BeEmpty();

        // The kernel compares the members' numbers, which labels do not have.
        static bool AreMembersOfTwoStructs(string first, string second) =>
            first.StartsWith("StructOps:", StringComparison.Ordinal)
            && second.StartsWith("StructOps:", StringComparison.Ordinal) && first.Split('.')[0] != second.Split('.')[0];

        // Each label has a BTF of its own, whose struct has one member; one prototype is one type in a kernel's BTF.
        MapOwner OwnerOf(string label)
        {
            var (prog, of, _) = CellRows.ProgOf(label, profile: kernel.Profile);
            var owner = MapOwner.Of(prog, of.Types);
            if (prog.Type == ProgType.StructOps)
            {
                owner = owner with { Attach = Array.IndexOf(names, label) };
            }

            if (owner.Proto is null)
            {
                return owner;
            }

            var proto = label.Split('=', 2)[^1];
            protos.TryAdd(proto, protos.Count);
            return owner with { Proto = new(0, protos[proto]) };
        }
    }
}
