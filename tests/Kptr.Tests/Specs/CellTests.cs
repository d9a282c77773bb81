using System.Collections.Immutable;
using System.Globalization;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Tests.Shared;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>
/// Whole tables of real kernels (<c>tests/Kptr.KernelSelftests/cells</c>), cell by cell: who may call which
/// helper, and what may be loaded and stored at every byte of a context: one place in five, with
/// <c>KPTR_SWEEP=all</c> each.
/// </summary>
public class CellTests
{
    private const int QuickOneIn = 5;

    [Theory]
    [InlineData("6.12", 21_900)]
    [InlineData("6.1", 19_900)]
    [InlineData("7.2", 21_000)]
    public void Helpers_EveryProgramTypeAndAttachType_AreThoseTheKernelGives(string version, int atLeast)
    {
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (label, word) in CellRows.Read($"helper-cells-{version}.tsv"))
        {
            var (prog, kernel, attachFunc) = CellRows.ProgOf(label, profile: CellRows.ProfileOf(version));
            if (word == "?")
            {
                CellRows.NothingIsAccepted(prog, kernel).Should().BeTrue(label);
                continue;
            }

            for (var id = 1; id <= word.Length; id++, cells++)
            {
                var said = Answer(prog, kernel, attachFunc, (HelperId)id);
                if (said != word[id - 1])
                {
                    wrong.Add($"{label} {HelperTable.NameOf(id)}: kernel {word[id - 1]}, here {said}");
                }
            }
        }

        cells.Should().BeGreaterThan(atLeast);
        wrong.Should().BeEmpty();
    }

    [Theory]
    [InlineData("6.12")]
    [InlineData("6.1")]
    [InlineData("7.2")]
    public void Places_EveryByteOfEveryContext_AreThoseTheKernelTakes(string version)
    {
        var wrong = new List<string>();
        int cells = 0, place = 0;
        var oneIn = NightlyOption.SweepOneIn(QuickOneIn);
        var accesses = new Dictionary<(int Off, int Bit), ImmutableArray<BpfInsn>>();
        foreach (var (label, word) in CellRows.Read($"context-cells-{version}.tsv"))
        {
            var (prog, kernel, _) = CellRows.ProgOf(label, profile: CellRows.ProfileOf(version));
            if (CellRows.NothingIsAccepted(prog, kernel))
            {
                word.Should().MatchRegex("^0+$", label);
                continue;
            }

            for (var off = 0; off < word.Length / 2; off++)
            {
                var mask = int.Parse(word.AsSpan(off * 2, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
                for (var bit = 0; bit < 8; bit++, place++)
                {
                    if (place % oneIn != 0)
                    {
                        continue;
                    }

                    cells++;
                    if (!accesses.TryGetValue((off, bit), out var insns))
                    {
                        accesses.Add((off, bit), insns = Access(off, 1 << (bit & 3), write: bit > 3));
                    }

                    var result = BpfVerifier.Verify(prog with { Insns = insns }, kernel);
                    var expected = (mask & (1 << bit)) != 0 ? Verdict.Accept : Verdict.Reject;
                    if (result.Verdict != expected || (expected == Verdict.Reject
                        && !result.Message.Contains("invalid bpf_context access", StringComparison.Ordinal)))
                    {
                        var access = bit > 3 ? "store" : "load";
                        wrong.Add($"{label} {access} of {1 << (bit & 3)} at {off}: {result.Verdict}, {result.Message}");
                    }
                }
            }
        }

        cells.Should().BeGreaterThan(100_000 / oneIn);
        wrong.Should().BeEmpty();
    }

    private static char Answer(ProgSpec prog, KernelSpec kernel, string? attachFunc, HelperId id) =>
        HelperAccess.Find(prog, kernel, id) is not { } helper ? '.'
        : !HelperAccess.IsAllowedAt(helper, prog, kernel.Profile, attachFunc) ? 'p'
        : helper.MightSleep && !prog.IsSleepable ? 's'
        : '+';

    private static ImmutableArray<BpfInsn> Access(int off, int size, bool write)
    {
        var word = $"*(u{size * 8} *)(r1 + {off})";
        return TextAssembler.Assemble($"r0 = 1\n{(write ? $"{word} = r0" : $"r2 = {word}")}\nexit").Insns;
    }
}
