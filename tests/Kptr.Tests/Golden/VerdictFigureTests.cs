using System.Globalization;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Golden;

/// <summary>How much of each program under <c>tests/data</c> is explored: no verdict says so.</summary>
/// <remarks>
/// A state that is found equal too seldom makes a program slow, one found equal too often makes it wrong, and both may
/// leave the verdicts of small programs as they are. The figures were recorded when the numbers of instructions over
/// Linux's selftests were Linux's: first as a kernel explores, then with a state remembered at every point
/// (<c>BPF_F_TEST_STATE_FREQ</c>). <c>KPTR_RECORD=1</c> records them again, for programs that are new and for a change
/// that is meant to explore otherwise.
/// </remarks>
public class VerdictFigureTests
{
    private static readonly string Folder = TestData.Path("verifier");

    [Fact]
    public void Programs_OfAllFiles_AreExploredAsTheyWere() => Hold(
        "verifier-figures.tsv",
        Directory.GetFiles(Folder, "*.txt", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal).SelectMany(OfFile));

    [Fact]
    public void Programs_OfObjects_AreExploredAsTheyWere() => Hold(
        "object-figures.tsv",
        Directory.GetFiles(TestData.Path("run"), "*.bpf.o").Order(StringComparer.Ordinal).SelectMany(OfObject));

    private static IEnumerable<string> OfFile(string path)
    {
        var file = VerdictFile.Read(path);
        yield return Line("as told", file);
        foreach (var kernel in file.OtherKernels)
        {
            yield return Line(kernel, file.Under(kernel));
        }

        string Line(string kernel, VerdictFile program) => string.Join(
            '\t', Path.GetRelativePath(Folder, path), kernel, Figures(program.Verify()),
            Figures(program.Verify(everyPoint: true)));
    }

    private static IEnumerable<string> OfObject(string path)
    {
        KernelSpec[] kernels =
            [BuiltinKernel.Spec(KernelProfile.Linux6_12), BuiltinKernel.Spec(KernelProfile.Linux7_2)];
        var usual = ObjectCheck.Run(path, kernels);
        var everyPoint = ObjectCheck.Run(path, kernels, new() { Verify = new() { TestStateFreq = true } });
        return from pair in usual.Zip(everyPoint)
               from i in Enumerable.Range(0, kernels.Length)
               select string.Join(
                   '\t', Path.GetFileName(path), pair.First.Name, kernels[i].Profile.Name,
                   Figures(pair.First.Kernels[i].Said.Result), Figures(pair.Second.Kernels[i].Said.Result));
    }

    /// <summary>Instructions, states remembered, most of them at once.</summary>
    private static string Figures(VerifyResult result) => string.Create(
        CultureInfo.InvariantCulture, $"{result.InsnsProcessed} {result.States} {result.PeakStates}");

    private static void Hold(string file, IEnumerable<string> figures)
    {
        var path = TestData.Path(file);
        var lines = figures.ToHashSet();
        if (Environment.GetEnvironmentVariable("KPTR_RECORD") == "1")
        {
            File.WriteAllLines(path, lines);
        }

        File.ReadLines(path).Where(l => !lines.Contains(l)).Should().BeEmpty();
    }
}
