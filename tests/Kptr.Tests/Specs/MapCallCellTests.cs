using System.Collections.Immutable;
using System.Globalization;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Tests.Shared;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>
/// Which maps real kernels let programs hand to which helpers, cell by cell: one in five, with <c>KPTR_SWEEP=all</c>
/// each.
/// </summary>
public class MapCallCellTests
{
    private const int StackBytes = 256;
    private const int Maps = 35;
    private const int QuickOneIn = 5;

    private static readonly string s_cells = TestData.Path("..", "Kptr.KernelSelftests", "cells");
    private static readonly Dictionary<int, string[]> s_calls = Rows("calls.rows")
        .ToDictionary(r => int.Parse(r[0], CultureInfo.InvariantCulture), r => r[1..]);
    private static readonly MapSpec[] s_maps = [.. Rows("maps.rows").Select(MapOf)];

    [Theory]
    [InlineData("6.12", 19_000)]
    [InlineData("6.1", 14_000)]
    [InlineData("7.2", 25_000)]
    public void Maps_OfEveryType_AreTakenByTheHelpersThatTheKernelHandsThem(string version, int atLeast)
    {
        var wrong = new List<string>();
        int cells = 0, place = 0;
        var oneIn = NightlyOption.SweepOneIn(QuickOneIn);
        s_maps.Should().HaveCount(Maps);
        foreach (var (label, word) in CellRows.Read($"map-call-cells-{version}.tsv"))
        {
            var slash = label.LastIndexOf('/');
            var helper = int.Parse(label.AsSpan(slash + 1), CultureInfo.InvariantCulture);
            var (prog, kernel, _) = CellRows.ProgOf(label[..slash], profile: CellRows.ProfileOf(version));
            var insns = InsnsOf(helper);
            for (var i = 0; i < Maps; i++)
            {
                if (word[i] == 'x' || place++ % oneIn != 0)
                {
                    continue;
                }

                cells++;
                var result = BpfVerifier.Verify(prog with { Insns = insns, Maps = [s_maps[i]] }, kernel);
                if (LetterOf(result) != word[i])
                {
                    wrong.Add($"{label} {HelperTable.NameOf(helper)} {s_maps[i].Type}: kernel {word[i]}, "
                        + $"here {result.Verdict}, {result.Message}");
                }
            }
        }

        cells.Should().BeGreaterThan(atLeast / oneIn);
        wrong.Should().BeEmpty();
    }

    private static char LetterOf(VerifyResult result) => result.IsAccepted ? '+'
        : result.Message.Contains("cannot pass map_type", StringComparison.Ordinal) ? 'm'
        : result.Message.Contains("leepable programs can only use", StringComparison.Ordinal) ? 's'
        : 'o';

    // As cells/calls.c makes them.
    private static ImmutableArray<BpfInsn> InsnsOf(int helper)
    {
        var args = s_calls[helper];
        var lines = new List<string> { "r6 = r1" };
        lines.AddRange(
            Enumerable.Range(0, StackBytes / 8).Select(w => $"*(u64 *)(r10 - {StackBytes - (w * 8)}) = 0"));
        if (args.Contains("t"))
        {
            lines.AddRange(["call 158", "r7 = r0"]);
        }

        for (var i = 0; i < args.Length; i++)
        {
            lines.AddRange(args[i] switch
            {
                "m" => [$"ld_pseudo r{i + 1}, {BpfOp.PseudoMapFd}, 0, 0"],
                "c" => [$"r{i + 1} = r6"],
                "t" => [$"r{i + 1} = r7"],
                "s" => [$"r{i + 1} = r10", $"r{i + 1} += -{StackBytes}"],
                _ => (string[])[$"r{i + 1} = {args[i]}"],
            });
        }

        lines.AddRange([$"call {helper}", "r0 = 0", "exit"]);
        return TextAssembler.Assemble(string.Join('\n', lines)).Insns;
    }

    private static MapSpec MapOf(string[] row)
    {
        int Number(int i) => int.Parse(row[i], CultureInfo.InvariantCulture);
        var type = (BpfMapType)Number(0);
        return new("m", type)
        {
            Flags = (MapFlags)Number(2),
            KeySize = Number(3),
            ValueSize = Number(4),
            MaxEntries = (uint)Number(5),
            InnerMap = type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps
                ? new("inner", BpfMapType.Array) { KeySize = 4, ValueSize = 4, MaxEntries = 1 } : null,
        };
    }

    private static IEnumerable<string[]> Rows(string file) =>
        from line in File.ReadLines(Path.Combine(s_cells, file))
        where !line.StartsWith('#')
        select line.Split(' ');
}
