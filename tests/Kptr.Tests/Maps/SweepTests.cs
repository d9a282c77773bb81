using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Tests.Maps;

/// <summary>Map type × operation × flags × fields × context × policy, generated.</summary>
public class SweepTests
{
    public static TheoryData<SweepMap, DestroyBehavior> Maps
    {
        get
        {
            var data = new TheoryData<SweepMap, DestroyBehavior>();
            foreach (var map in Enum.GetValues<SweepMap>())
            {
                data.Add(map, DestroyBehavior.Eager);
                data.Add(map, DestroyBehavior.Recycle);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Maps))]
    public void EveryCell_BehavesAsLinux(SweepMap map, DestroyBehavior policy)
    {
        using var core = MapKernel.Boot(policy);
        var wrong = new List<string>();
        foreach (var cell in Cells(map, policy).Where(c => c.WhyImpossible() is null))
        {
            wrong.AddRange(SweepRun.Check(cell, core).Select(w => $"{cell}: {w}"));
        }

        wrong.Should().BeEmpty();
    }

    [Fact]
    public void Product_CellsAndReasons_AreCounted()
    {
        var all = Enum.GetValues<SweepMap>()
            .SelectMany(m => Enum.GetValues<DestroyBehavior>().SelectMany(p => Cells(m, p)))
            .ToLookup(c => c.WhyImpossible());
        all[null].Count().Should().BeGreaterThan(7000);
        all.Select(g => g.Key).Where(k => k is not null).Should().BeEquivalentTo(
        [
            "the resizable hash came with the recycle policy",
            "only user space can do this",
            "storage has no bpf_for_each_map_elem",
            "only programs iterate with a callback",
            "nobody owns the values",
            "the same as outside of a reader",
            "storage has no capacity",
        ]);
    }

    private static IEnumerable<SweepCell> Cells(SweepMap map, DestroyBehavior policy) =>
        from op in Enum.GetValues<SweepOp>()
        from flags in FlagsOf(op)
        from fields in Enum.GetValues<SweepFields>()
        from context in Enum.GetValues<SweepContext>()
        select new SweepCell(map, op, flags, fields, context, policy);

    private static MapUpdateFlags[] FlagsOf(SweepOp op) => op switch
    {
        SweepOp.Insert or SweepOp.Update =>
        [
            MapUpdateFlags.Any, MapUpdateFlags.NoExist, MapUpdateFlags.Exist, MapUpdateFlags.Lock, MapUpdateFlags.Lock | MapUpdateFlags.NoExist,
            MapUpdateFlags.Lock | MapUpdateFlags.Exist, (MapUpdateFlags)3, (MapUpdateFlags)7, (MapUpdateFlags)8,
        ],
        SweepOp.Lookup or SweepOp.LookupAndDelete or SweepOp.LookupBatch or SweepOp.UpdateBatch or SweepOp.DeleteBatch
            or SweepOp.LookupAndDeleteBatch => [MapUpdateFlags.Any, MapUpdateFlags.Lock, MapUpdateFlags.Exist],
        _ => [MapUpdateFlags.Any],
    };
}
