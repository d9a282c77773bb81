using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Cli.Run;

/// <summary>
/// What a run left behind: taken while the object is loaded, and so before what it holds is given back.
/// </summary>
internal sealed record RunReport(
    string File,
    string Kernel,
    IReadOnlyList<BpfProgram> Programs,
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
        return new(
            file,
            kernel.Spec.Profile.Name,
            [
                .. session.Object.Spec.Progs.Select(p => session.Object.Programs.GetValueOrDefault(p.Name))
                    .OfType<BpfProgram>(),
            ],
            [.. kernel.TracePipe.TakeLast(PrintedMax)],
            [
                .. session.Object.Spec.Maps.Select(m => session.Object.Maps.GetValueOrDefault(m.Name)).OfType<BpfMap>()
                    .Select(m => MapTable.Of(m, pins, rowsMax)).OfType<MapTable>(),
            ],
            ledger);
    }
}
