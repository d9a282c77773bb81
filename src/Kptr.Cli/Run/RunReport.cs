using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Cli.Run;

/// <summary>A program, and where it is attached; null where nothing in the model runs it by itself.</summary>
internal sealed record RanProgram(BpfProgram Program, string? Hook);

/// <summary>
/// What a run left behind: taken while the object is loaded, and so before what it holds is given back.
/// </summary>
internal sealed record RunReport(
    string File,
    string Kernel,
    IReadOnlyList<RanProgram> Programs,
    IReadOnlyList<string> Printed,
    IReadOnlyList<MapTable> Maps,
    LedgerSnapshot Ledger)
{
    private const int PrintedMax = 1000;

    public IEnumerable<LedgerEntry> Pins => Ledger.Entries.Where(e => !e.Holder.IsKernel);

    public static RunReport Of(string file, RunSession session, int rowsMax)
    {
        var kernel = session.Kernel;
        var ledger = kernel.Ledger.Snapshot();
        var pins = ledger.Entries.Where(e => e.Holder is MapHolder).ToLookup(e => ((MapHolder)e.Holder).Map);
        var hooks = session.Links.ToDictionary(l => l.Program, l => l.Hook);
        return new(
            file,
            kernel.Spec.Profile.Name,
            [
                .. session.Object.Spec.Progs.Select(p => session.Object.Programs.GetValueOrDefault(p.Name))
                    .OfType<BpfProgram>().Select(p => new RanProgram(p, hooks.GetValueOrDefault(p))),
            ],
            [.. kernel.TracePipe.TakeLast(PrintedMax)],
            [
                .. session.Object.Spec.Maps.Select(m => session.Object.Maps.GetValueOrDefault(m.Name)).OfType<BpfMap>()
                    .Select(m => MapTable.Of(m, pins, rowsMax)).OfType<MapTable>(),
            ],
            ledger);
    }
}
