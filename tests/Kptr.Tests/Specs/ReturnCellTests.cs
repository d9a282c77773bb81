using System.Collections.Immutable;
using Kptr.Isa;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>Which values real kernels let programs of each kind return, LSM hook by LSM hook.</summary>
public class ReturnCellTests
{
    private static readonly long[] s_values =
    [
        long.MinValue, -(1L << 32), -4096, -4095, -4094, -100, -1, 0, 1, 2, 3, 4, 5, 7, 255, 256, int.MaxValue,
        1L << 31, uint.MaxValue - 4094, uint.MaxValue, 1L << 32, long.MaxValue,
    ];

    // Any number, any of 32 bits, 0 or 1, 0 to 3, 0 or -1 (of 64 and of 32 bits), an address, nothing.
    private static readonly string[] s_others =
    [
        "r0 = *(u64 *)(r10 - 8)\nexit", "r0 = *(u64 *)(r10 - 8)\nw0 = w0\nexit",
        "r0 = *(u64 *)(r10 - 8)\nr0 &= 1\nexit",
        "r0 = *(u64 *)(r10 - 8)\nr0 &= 3\nexit", "r0 = *(u64 *)(r10 - 8)\nr0 s>>= 63\nexit",
        "r0 = *(u64 *)(r10 - 8)\nw0 s>>= 31\nexit", "r0 = r10\nexit", "exit",
    ];

    private static readonly ImmutableArray<BpfInsn>[] s_progs =
        [.. s_values.Select(v => $"r0 = {v} ll\nexit").Concat(s_others).Select(t => TextAssembler.Assemble(t).Insns)];

    [Theory]
    [InlineData("6.12")]
    [InlineData("6.1")]
    [InlineData("7.2")]
    public void Returns_EveryProgramTypeAndLsmHook_AreThoseTheKernelTakes(string version)
    {
        var protos = CellRows.Columns($"arg-cells-{version}.tsv").ToDictionary(c => c[0], c => c[1]);
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (label, word) in CellRows.Read($"return-cells-{version}.tsv"))
        {
            var (prog, kernel, _) = CellRows.ProgOf(
                label, protos.GetValueOrDefault(label), CellRows.ProfileOf(version));
            var said = new string([.. s_progs.Select(p => Answer(prog with { Insns = p }, kernel))]);
            cells += said.Length;
            if (said != word && !(word == "x" && said.All(c => c == '?')))
            {
                wrong.Add($"{label}: kernel {word}, here {said}");
            }
        }

        cells.Should().BeGreaterThan(25_000);
        wrong.Should().BeEmpty();
    }

    private static char Answer(ProgSpec prog, KernelSpec kernel)
    {
        var result = BpfVerifier.Verify(prog, kernel);
        bool Says(string text) => result.Message.Contains(text, StringComparison.Ordinal);
        return result.IsAccepted ? '+' : Says("should have been in ") ? '.' : Says("is not a known value") ? 'k'
            : Says("R0 !read_ok") ? 'n' : '?';
    }
}
