using System.Text.RegularExpressions;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>
/// What real kernels give programs in their arguments, for every iterator, struct_ops member, LSM hook and
/// tracepoint.
/// </summary>
public partial class ArgCellTests
{
    private static readonly VerifyOptions s_log = new() { LogLevel = 2 };

    [Theory]
    [InlineData("6.12", 5_000)]
    [InlineData("6.1", 4_000)]
    [InlineData("7.2", 6_000)]
    public void Arguments_OfEveryTarget_AreThoseTheKernelGives(string version, int atLeast)
    {
        var wrong = new List<string>();
        var cells = 0;
        var pointers = 0;
        foreach (var row in CellRows.Columns($"arg-cells-{version}.tsv"))
        {
            var (label, proto, expected) = (row[0], row[1], row[2].Split(' '));
            var (prog, kernel, _) = CellRows.ProgOf(label, proto, CellRows.ProfileOf(version));
            var declared = proto[(proto.IndexOf('(', StringComparison.Ordinal) + 1)..^1].Split(',')
                .Skip(label.Contains("TraceRawTp", StringComparison.Ordinal) ? 1 : 0).ToArray();
            for (var i = 0; i < expected.Length; i++, cells++)
            {
                pointers += expected[i][0] is 't' or 'p' ? 1 : 0;
                var said = Answer(prog, kernel, i * 8, declared.ElementAtOrDefault(i) ?? "");
                // Which list of packets a queueing discipline hands over stands in no prototype.
                if (said != expected[i] && expected[i] != "t=bpf_sk_buff_ptr")
                {
                    wrong.Add($"{label}{proto} word {i}: kernel {expected[i]}, here {said}");
                }
            }
        }

        cells.Should().BeGreaterThan(atLeast);
        pointers.Should().BeGreaterThan(1_000);
        wrong.Should().BeEmpty();
    }

    private static string Answer(ProgSpec prog, KernelSpec kernel, int off, string declared)
    {
        var insns = TextAssembler.Assemble($"r0 = 0\nr2 = *(u64 *)(r1 + {off})\nr0 = 1\nexit").Insns;
        var result = BpfVerifier.Verify(prog with { Insns = insns }, kernel, s_log);
        if (!result.Log.Contains("1: (", StringComparison.Ordinal))
        {
            return "x";
        }

        return Loaded().Match(result.Log) is { Success: true } found
            ? Letter(found.Groups[1].Value, declared) : "-";
    }

    private static string Letter(string text, string declared)
    {
        if (text.StartsWith("scalar", StringComparison.Ordinal))
        {
            return text == "scalar()" ? "n" : text.Contains("-4095", StringComparison.Ordinal) ? "e"
                : text.Contains("umax32=1,", StringComparison.Ordinal) ? "o" : text;
        }

        var found = Pointer().Match(text);
        if (!found.Success)
        {
            return text;
        }

        var trust = found.Groups[1].Value;
        var letter = found.Groups[2].Value == "buf" ? trust.Length > 0 ? "r" : "b" : trust == "trusted_" ? "t" : "p";
        var name = declared.TrimEnd('*').Split('.', 2)[^1];
        return letter + (found.Groups[3].Length > 0 ? "0" : "")
            + (found.Groups[2].Value == "buf" || name == found.Groups[4].Value ? "" : $"={found.Groups[4].Value}");
    }

    [GeneratedRegex(@"\n1: \(.*R2(?:_w)?=([^ \n]*)")]
    private static partial Regex Loaded();

    [GeneratedRegex(@"^(trusted_|rdonly_|)(ptr|buf)(_or_null|)_?(.*)\((?:id=1)?\)$")]
    private static partial Regex Pointer();
}
