using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Cli.Check;

/// <summary>A file's programs and what the kernels say of each, or why it cannot be judged.</summary>
internal sealed record FileVerdicts(
    string Path, IReadOnlyList<ProgVerdicts> Programs, ImmutableArray<Diagnostic> Faults)
{
    /// <summary>Judges files in their order, on several cores at once.</summary>
    /// <param name="files">The files.</param>
    /// <param name="kernels">For which kernels.</param>
    /// <param name="options">Which programs, and how.</param>
    /// <param name="jobs">How many files at a time.</param>
    public static IEnumerable<FileVerdicts> Of(
        IReadOnlyList<InputFile> files, IReadOnlyList<KernelSpec> kernels, ObjectCheckOptions options, int jobs) =>
        jobs == 1 || files.Count == 1 ? files.Select(f => Of(f, kernels, options))
        : files.AsParallel().AsOrdered().WithDegreeOfParallelism(Math.Min(jobs, files.Count))
            .WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(f => Of(f, kernels, options));

    private static FileVerdicts Of(InputFile file, IReadOnlyList<KernelSpec> kernels, ObjectCheckOptions options)
    {
        try
        {
            file.ThrowIfFault();
            return new(file.Path, [.. ObjectCheck.Run(file.Path, kernels, options)], []);
        }
        catch (DiagnosticException e)
        {
            return new(file.Path, [], [.. e.Diagnostics]);
        }
    }
}
