using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>Which kfuncs of a real Linux 6.12 which programs may call, cell by cell.</summary>
public class KfuncCellTests
{
    private const string File = "kfunc-cells-6.12.tsv";

    [Fact]
    public void Kfuncs_EveryProgramTypeAndAttachType_AreThoseTheKernelGives()
    {
        var names = Names();
        var kfuncs = KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux6_12);
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (label, word) in CellRows.Read(File))
        {
            var (prog, kernel, _) = CellRows.ProgOf(label);
            word.Should().HaveLength(names.Length);
            for (var i = 0; i < word.Length; i++, cells++)
            {
                var spec = kfuncs.GetValueOrDefault(names[i]);
                var said = spec is null || !spec.IsOpenTo(prog, kernel.Profile) ? '.'
                    : (spec.Flags & KfuncFlags.Sleepable) != 0 && !prog.IsSleepable ? 's' : '+';
                if (said != word[i])
                {
                    wrong.Add($"{label} {names[i]}: kernel {word[i]}, here {said}");
                }
            }
        }

        cells.Should().BeGreaterThan(10_000);
        wrong.Should().BeEmpty();
    }

    /// <summary>Those that the kernel found to be kfuncs among all functions of its BTF.</summary>
    [Fact]
    public void Kfuncs_OfTheKernelItself_AreAllDeclared() => Names()
        .Except(KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux6_12).Keys).Should().BeEmpty();

    private static string[] Names() => System.IO.File.ReadLines(TestData.Path(File)).First().Split("; ")[^1].Split(' ');
}
