using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

/// <summary>Carries out the cells of one map.</summary>
internal sealed class CellCheck(
    MapSource source, MapCapabilities can, DestroyBehavior policy, ConformanceOptions options, Watch watch)
{
    private const int WrongMax = 5;
    private const int HashShift = 16;
    private const uint HashFactor = 2654435761;

    /// <summary>All cells, possible or not.</summary>
    internal List<MapCell> Cells { get; } = [];

    internal ConformanceFailure? Run()
    {
        var kernel = Kernels.BootForCells(policy);
        try
        {
            var map = MapOf(kernel);
            var wrong = new List<(Cell Cell, CellResult Result)>();
            var at = 0;
            foreach (var cell in AllOf(map, kernel).ToList())
            {
                var whyNot = cell.WhyImpossible();
                var isTried = whyNot is null && IsTried(at++) && wrong.Count < WrongMax;
                Cells.Add(Noted(cell, whyNot, isTried));
                if (!isTried)
                {
                    continue;
                }

                watch.Beat([$"{cell}"]);
                var result = CellRun.Check(cell, kernel);
                if (result.Wrong is not null)
                {
                    wrong.Add((cell, result));

                    // What a broken map left behind must not show in the next cell.
                    kernel.Dispose();
                    kernel = Kernels.BootForCells(policy);
                }
            }

            return wrong.Count == 0 ? null : Failure(wrong);
        }
        finally
        {
            kernel.Dispose();
        }
    }

    // The plainest first: what goes wrong without special fields is no matter of them.
    private ConformanceFailure Failure(List<(Cell Cell, CellResult Result)> wrong)
    {
        var (cell, result) = wrong.OrderBy(w => w.Cell.Record.Fields.Length).First();
        var others = wrong.Where(w => w.Cell != cell).Select(w => $"{w.Cell}").ToList();
        return new(Rules.Table, policy, options.Seed, result.Log, result.Expected!,
            others.Count == 0 ? result.Wrong! : $"{result.Wrong}; as wrong are {string.Join("; ", others)}");
    }

    private CellMap MapOf(KernelModel kernel)
    {
        var spec = source.SpecOf(kernel);
        using var made = source.Make(kernel, spec);
        return new(source, can, spec, made);
    }

    private IEnumerable<Cell> AllOf(CellMap map, KernelModel kernel) => Cell.All(
        map, [.. map.Fields.Select(f => (f, RecordOf(map.SpecOf(kernel, f))))], policy);

    private static BtfRecord RecordOf(MapSpec spec) => (spec.InnerMap ?? spec).Record;

    // A multiplicative hash of the place: a plain remainder would leave out whole fields or contexts.
    private bool IsTried(int at) => ((uint)at * HashFactor >> HashShift) % (uint)options.CellsOneIn == 0;

    private static MapCell Noted(Cell cell, string? whyNot, bool isTried)
    {
        var noted = new MapCell(
            $"{cell.Op}", CellFlags.Text(cell.Flags), cell.Fields.Name, $"{cell.Context}", cell.Policy)
        {
            WhyNot = whyNot, IsTried = isTried,
        };
        return whyNot is not null ? noted
            : cell.IsRefused() ? noted with { IsRefused = true }
            : noted with
            {
                Errno = cell.ErrnoOf(), GivenBack = cell.DestroyedBy(), Stopped = cell.CancelledBy(),
                Owned = cell.OwnedPerValue, OwnedByAllCpus = cell.OwnedPerKey, HasLock = cell.HasLock,
            };
    }
}
