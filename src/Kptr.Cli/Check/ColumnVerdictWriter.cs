using Kptr.Specs;

namespace Kptr.Cli.Check;

/// <summary>
/// Verdicts of several kernels for a person: a line a program with a column a kernel, below it what each refuses, and
/// at the end how many programs are not judged alike.
/// </summary>
internal sealed class ColumnVerdictWriter(TextWriter output, IReadOnlyList<KernelSpec> kernels, bool withLog)
    : IVerdictWriter
{
    private const int ColumnMin = 12;
    private readonly int[] _widths = [.. kernels.Select(k => Math.Max(k.Profile.Name.Length + 2, ColumnMin))];
    private int _programs;
    private int _differing;

    public void Write(string file, ProgVerdicts verdicts)
    {
        if (_programs++ == 0)
        {
            WriteLine(kernels.Select(k => k.Profile.Name), "");
        }

        var said = verdicts.Kernels;
        _differing += verdicts.Agree ? 0 : 1;
        WriteLine(said.Select(k => VerdictWords.Of(k.Said.Verdict)),
            $"{Path.GetFileName(file)} {verdicts.Name} [{said[0].Said.Prog.SectionName}]"
                + (verdicts.Agree ? "" : " differs"));
        foreach (var same in said.Where(k => !k.Said.Result.IsAccepted).GroupBy(k => k.Said.Result.Message))
        {
            var names = string.Join(", ", same.Select(k => k.Kernel.Profile.Name));
            var reason = same.First().Said.Result.Diagnostics.LastOrDefault();
            var source = reason?.Source is { } at ? $" ({at})" : "";
            output.WriteLine($"    {names}: {same.Key.ReplaceLineEndings(" ")} [{reason?.Code}]{source}");
        }

        foreach (var (kernel, each) in withLog ? said : [])
        {
            output.WriteLine($"{kernel.Profile.Name}:");
            output.WriteLine(each.Result.Log.TrimEnd());
        }
    }

    public void Finish() => output.WriteLine(_differing == 0
        ? $"{_programs} programs, which these kernels judge alike"
        : $"{_differing} of {_programs} programs are not judged alike by these kernels");

    private void WriteLine(IEnumerable<string> cells, string end) =>
        output.WriteLine((string.Concat(cells.Select((c, i) => c.PadRight(_widths[i]))) + end).TrimEnd());
}
