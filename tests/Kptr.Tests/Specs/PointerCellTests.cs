using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Tests.Shared;
using Kptr.Verifier;

namespace Kptr.Tests.Specs;

/// <summary>
/// Every pointer, in every state, put to every use, as real kernels answered: one cell in 200, with
/// <c>KPTR_SWEEP=all</c> each.
/// </summary>
public class PointerCellTests
{
    private const int QuickOneIn = 200;

    [Theory]
    [InlineData("6.12", 200_000)]
    [InlineData("7.2", 200_000)]
    public void Pointer_PutToAUse_IsTakenWhereTheKernelTakesIt(string version, int atLeast)
    {
        var kernel = BuiltinKernel.Spec(CellRows.ProfileOf(version));
        var answers = CellRows.Read($"pointer-cells-{version}.tsv").ToDictionary(r => r.Label, r => r.Word);
        var oneIn = NightlyOption.SweepOneIn(QuickOneIn);
        var wrong = new List<string>();
        int cells = 0, place = 0;
        foreach (var row in PointerPrograms.Rows)
        {
            var word = answers[row.Label];
            word.Should().HaveLength(PointerUse.All.Length);
            for (var i = 0; i < word.Length; i++)
            {
                if (word[i] == 'x' || place++ % oneIn != 0 || IsOtherHere(row, PointerUse.All[i], version)
                    || row.Program(PointerUse.All[i], kernel)?.TryLink(kernel, new DiagSink()) is not { } prog)
                {
                    continue;
                }

                var result = BpfVerifier.Verify(prog, kernel);
                if (result.Verdict == Verdict.Unsupported)
                {
                    continue;       // a type that the model kernel's BTF leaves out
                }

                cells++;
                if (result.IsAccepted != (word[i] == '+'))
                {
                    wrong.Add($"{row.Label} {PointerUse.All[i].Name}: kernel {word[i]}, here {result.Message}");
                }
            }
        }

        wrong.Should().BeEmpty();
        cells.Should().BeGreaterThan(atLeast / oneIn);
    }

    // The model's BTF has fewer members than a kernel's: a second load meets others there, struct mm_struct has no
    // union, and files and inodes begin otherwise. Linux lets tracepoints read what stands before their context, since
    // it compares the offset without its sign; and 6.12 takes a work queue at an offset that is not known, by the bits
    // of it that are. Here they may not.
    private static bool IsOtherHere(PointerPrograms.Row row, PointerUse use, string version) =>
        row.Origin.Name is "mm" or "file" or "exe_file" or "inode" || use.Name == "load_twice"
        || (row.Section, use.Name) is ("tracepoint", "load_before")
        || (version is "6.12" && row.State.Name is "somewhere"
            && use.Name is "bpf_wq_init" or "wq_of_another" or "bpf_wq_start");
}
