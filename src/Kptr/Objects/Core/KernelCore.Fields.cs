using Kptr.Btf;

namespace Kptr.Objects;

// What dying memory does to the references in it. Kernel: bpf_obj_free_fields (kernel/bpf/syscall.c, 6.12).
public partial class KernelCore
{
    /// <summary>Gives back what a special field owned: a reference, or all nodes of a list or tree.</summary>
    /// <param name="field">The field it was in.</param>
    /// <param name="address">What the field's first word held, already taken out of it; 0 does nothing.</param>
    internal void DropKptr(BtfField field, ulong address)
    {
        if (address != 0 && (field.Kind & (BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu)) != 0)
        {
            DropObject(field, address);
        }
        else if (address != 0 && (field.Kind & BtfFieldKind.GraphRoot) != 0)
        {
            if (Heap.FindChunk(address) is null)
            {
                ReportStale(address);
                return;
            }

            Graphs.FreeDetached(field, address);
        }
    }

    /// <summary>
    /// Whether some of these bytes are the model's own to write: links and counts of objects, special fields of objects
    /// and map values. False for memory that is not the kernel's.
    /// </summary>
    internal bool IsKept(ulong address, int sizeBytes) =>
        Heap.TryFindRegion(address, 0, out var region)
        && (region.Slab.Owner is { } owner
            ? owner.IsSpecial(address, sizeBytes)
            : region.Slab.Layout is { } layout && layout.IsKept((long)(address - region.Address), sizeBytes));

    private void DropObject(BtfField field, ulong address)
    {
        // Whoever uses a map while it is freed finds poison in its slots: no address is taken on trust.
        if (Heap.FindObject(address) is not { } obj)
        {
            ReportStale(address);
        }
        else if (Destructors?.TryRun(field, obj) != true)
        {
            obj.ReleaseCount();
        }
    }

    private void ReportStale(ulong address) =>
        Report(new(Diagnostics.DiagCode.RefUseAfterFree, "a kptr slot held an object that is freed")
        {
            Object = $"{address:x}",
        });

    /// <summary>Empties one kptr slot for good and gives back what it owned.</summary>
    internal void DropSlot(BtfField field, ulong slotAddress)
    {
        if (field.Kind == BtfFieldKind.KptrUnref)
        {
            unsafe
            {
                Volatile.Write(ref *(ulong*)slotAddress, 0);
            }
        }
        else
        {
            DropKptr(field, Ledger.EmptySlot(slotAddress));
        }
    }
}
