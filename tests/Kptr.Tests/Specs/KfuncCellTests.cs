using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>Which kfuncs of real kernels which programs may call, cell by cell.</summary>
public class KfuncCellTests
{
    [Theory]
    [InlineData("6.12", 10_000)]
    [InlineData("6.1", 3_900)]
    public void Kfuncs_EveryProgramTypeAndAttachType_AreThoseTheKernelGives(string version, int atLeast)
    {
        var names = Names(version);
        var profile = CellRows.ProfileOf(version);
        var kfuncs = KfuncRegistry.Builtin.SpecsOf(profile);
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (label, word) in CellRows.Read(FileOf(version)))
        {
            var (prog, kernel, _) = CellRows.ProgOf(label, profile: profile);
            if (word == "?")
            {
                CellRows.NothingIsAccepted(prog, kernel).Should().BeTrue(label);
                continue;
            }

            word.Should().HaveLength(names.Length);
            for (var i = 0; i < word.Length; i++, cells++)
            {
                var spec = kfuncs.GetValueOrDefault(names[i]);
                var said = spec is null || !spec.IsOpenTo(prog, kernel.Profile) ? '.'
                    : (spec.Flags & KfuncFlags.Sleepable) != 0 && !prog.IsSleepable ? 's' : '+';
                // Where arguments are looked at first, the kernel could not say that it would sleep.
                if (said != word[i] && !(said == 's' && word[i] == '+' && !profile.SortsKfuncArgs))
                {
                    wrong.Add($"{label} {names[i]}: kernel {word[i]}, here {said}");
                }
            }
        }

        cells.Should().BeGreaterThan(atLeast);
        wrong.Should().BeEmpty();
    }

    /// <summary>Those that the kernel found to be kfuncs among all functions of its BTF.</summary>
    [Theory]
    [InlineData("6.12")]
    [InlineData("6.1")]
    public void Kfuncs_OfTheKernelItself_AreAllDeclared(string version) => Names(version)
        .Except(KfuncRegistry.Builtin.SpecsOf(CellRows.ProfileOf(version)).Keys).Should().BeEmpty();

    private static string FileOf(string version) => $"kfunc-cells-{version}.tsv";

    private static string[] Names(string version) =>
        File.ReadLines(TestData.Path(FileOf(version))).First().Split("; ")[^1].Split(' ');
}
