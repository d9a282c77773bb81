using Kptr.Cli.Output;
using Kptr.Specs;

namespace Kptr.Cli.Check;

/// <summary>
/// Verdicts of several kernels for a person: a line a program with a column a kernel, below it what each refuses, and
/// at the end how many programs are not judged alike.
/// </summary>
internal sealed class ColumnVerdictWriter(Screen screen, IReadOnlyList<KernelSpec> kernels, bool withLog)
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
            screen.Line(string.Concat(kernels.Select((k, i) => k.Profile.Name.PadRight(_widths[i]))).TrimEnd());
        }

        var said = verdicts.Kernels;
        _differing += verdicts.Agree ? 0 : 1;
        screen.Hanging(_widths.Sum(), [
            .. said.Select((k, i) => TextVerdictWriter.Word(k.Said.Verdict, _widths[i])),
            $"{Path.GetFileName(file)} ", Ink.Strong(verdicts.Name), $" [{said[0].Said.Prog.SectionName}]",
            verdicts.Agree ? "" : Ink.Doubtful(" differs"),
        ]);
        foreach (var same in said.Where(k => !k.Said.Result.IsAccepted).GroupBy(k => k.Said.Result.Message))
        {
            var names = string.Join(", ", same.Select(k => k.Kernel.Profile.Name));
            var reason = same.First().Said.Result.Diagnostics.LastOrDefault();
            var source = reason?.Source is { } at ? $" ({at})" : "";
            screen.Hanging(
                8, "    ", Ink.Note(names), $": {same.Key.ReplaceLineEndings(" ")} [{reason?.Code}]{source}");
        }

        foreach (var (kernel, each) in withLog ? said : [])
        {
            screen.Plain($"{kernel.Profile.Name}:\n{each.Result.Log.TrimEnd()}");
        }
    }

    public void Finish(VerdictCount count) => screen.Hanging(0, _differing == 0
        ? $"{_programs} programs, which these kernels judge alike"
        : $"{_differing} of {_programs} programs are not judged alike by these kernels");
}
