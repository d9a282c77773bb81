using System.Collections.Immutable;
using Kptr.Isa;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>Which functions of real kernels programs may be attached to, and in which ways.</summary>
public class AttachCellTests
{
    private static readonly string[] s_ways =
        ["TraceFentry", "TraceFexit", "ModifyReturn", "TraceFentry", "ModifyReturn"];

    private static readonly ImmutableArray<BpfInsn> s_insns = TextAssembler.Assemble("r0 = 0\nexit").Insns;

    [Theory]
    [InlineData("7.2")]
    public void Functions_OfTheKernel_AreOpenToProgramsAsItSays(string version)
    {
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (name, word) in CellRows.Read($"attach-cells-{version}.tsv"))
        {
            if (word.Contains('p', StringComparison.Ordinal) || word.Contains('a', StringComparison.Ordinal))
            {
                continue;    // the prototype is not in the table, and no BTF tells which functions have an address
            }

            var said = string.Concat(s_ways.Select((way, i) => Answer(name, way, i > 2, version)));
            cells += said.Length;
            if (said != word)
            {
                wrong.Add($"{name}: kernel {word}, here {said}");
            }
        }

        cells.Should().BeGreaterThan(4_000);
        wrong.Should().BeEmpty();
    }

    private static char Answer(string name, string way, bool isSleepable, string version)
    {
        var (prog, kernel, _) = CellRows.ProgOf(
            $"Tracing/{way}:{name}{(isSleepable ? ":sleepable" : "")}=int/4()", profile: CellRows.ProfileOf(version));
        var result = BpfVerifier.Verify(prog with { Insns = s_insns }, kernel);
        bool Says(string text) => result.Message.Contains(text, StringComparison.Ordinal);
        return result.IsAccepted ? '+' : Says("is not modifiable") ? 'm' : Says("is not sleepable") ? 's'
            : Says("__noreturn") ? 'r' : Says("is rejected") ? 'd' : '?';
    }
}
