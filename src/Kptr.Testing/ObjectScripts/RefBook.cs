using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Testing.ObjectScripts;

/// <summary>How many references each live object of a kernel has, at one moment.</summary>
internal sealed class RefBook
{
    private readonly Dictionary<ulong, (string Name, int Count)> _counts = [];

    internal RefBook(KernelCore kernel)
    {
        // Of objects without references, the ledger lists the work that will free them.
        foreach (var entry in kernel.Ledger.Snapshot().Entries.Where(e => e.Holder is not DeferredHolder))
        {
            var before = _counts.GetValueOrDefault(entry.Address).Count;
            _counts[entry.Address] = (entry.Object, before + 1);
        }
    }

    internal int CountOf(ulong address) => _counts.GetValueOrDefault(address).Count;

    internal bool Has(ulong address) => _counts.ContainsKey(address);

    /// <summary>The objects whose counts differ, and by how much they have grown since.</summary>
    internal IEnumerable<(ulong Address, string Name, int Grown)> Since(RefBook before) =>
        from address in _counts.Keys.Union(before._counts.Keys)
        let grown = CountOf(address) - before.CountOf(address)
        where grown != 0
        select (address, (Has(address) ? _counts : before._counts)[address].Name, grown);

    /// <summary>Throws where objects have other counts than before.</summary>
    /// <param name="before">The counts they should have.</param>
    /// <param name="ifMore">The rule that is broken where one has more.</param>
    /// <param name="ifFewer">Where one has fewer.</param>
    internal void MustEqual(RefBook before, ConformanceCheck ifMore, ConformanceCheck ifFewer)
    {
        foreach (var (address, name, grown) in Since(before))
        {
            throw new BrokenRuleException(
                grown > 0 ? ifMore : ifFewer, $"{name} has {before.CountOf(address)} references, as before",
                $"{CountOf(address)}");
        }
    }

    /// <summary>Throws where the kernel has reported something.</summary>
    internal static void NoFaults(KernelCore kernel, ConformanceCheck ifAsleep, ConformanceCheck otherwise)
    {
        var faults = kernel.TakeFaults();
        if (faults.Count > 0)
        {
            throw new BrokenRuleException(
                faults[0].Code == DiagCode.SleepInAtomic ? ifAsleep : otherwise, "the kernel reports no fault",
                faults[0].ToString());
        }
    }
}
