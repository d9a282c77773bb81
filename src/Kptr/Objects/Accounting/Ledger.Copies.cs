using Kptr.Diagnostics;

namespace Kptr.Objects;

// Slots that hold what is not theirs. A copy of a value inside the kernel's memory is found here at the latest:
// exchanges look at one slot, and the copy is as good a slot as any.
public sealed partial class Ledger
{
    /// <summary>
    /// A fault for each object that more slots hold than it has references for, or that slots hold though it is freed.
    /// Exact while nothing else uses the kernel.
    /// </summary>
    private IEnumerable<KernelFault> FindCopies()
    {
        foreach (var slots in Census().Where(s => s.ObjectAddress != 0).GroupBy(s => s.ObjectAddress))
        {
            var where = string.Join("; ", slots.Select(s => s.Holder));
            if (_core.Heap.FindObject(slots.Key) is not { } obj)
            {
                yield return new(DiagCode.RefUseAfterFree, $"slots hold an object that is freed: {where}")
                {
                    Object = $"{slots.Key:x}",
                };
            }
            else if (obj.Count.Value is var count and >= 0 && obj.IntrinsicCount + slots.Count() > count)
            {
                yield return new(
                    DiagCode.KptrCopied,
                    $"more slots hold it than its count of {count} has room for, a value was copied: {where}")
                {
                    Object = obj.Describe(),
                };
            }
        }
    }
}
