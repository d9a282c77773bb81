using Kptr.Btf;
using Kptr.Objects;

namespace Kptr.Maps;

/// <summary>Takes what a special field owns out of it, and destroys it later.</summary>
/// <remarks>Kernel: <c>bpf_obj_free_fields</c> (kernel/bpf/syscall.c, 6.12), in two halves.</remarks>
internal static class FieldOwnership
{
    /// <summary>Empties a field in one atomic step.</summary>
    /// <returns>What it owned, for <see cref="Destroy"/>; 0 for nothing.</returns>
    internal static unsafe ulong TakeOut(BpfMap map, BtfField field, ulong at)
    {
        if (field.Kind == BtfFieldKind.KptrUnref)
        {
            // Into the slot, not into a copy of its address (9fad7fe5b298, 2022).
            Volatile.Write(ref *(ulong*)at, 0);
            return 0;
        }

        if ((field.Kind & BtfFieldKind.GraphRoot) != 0)
        {
            return TakeNodes(map, field, at);
        }

        return *(ulong*)at == 0 ? 0 : map.Core.Ledger.EmptySlot(at);
    }

    // Under the value's lock, as a program may be changing the list. An empty list points at itself.
    private static unsafe ulong TakeNodes(BpfMap map, BtfField field, ulong at)
    {
        var lockOffset = map.Layout.LockOffset;
        using var held = new ValueSpinLock(
            map.Core, lockOffset < 0 ? 0 : at - (ulong)field.OffsetBytes + (ulong)lockOffset);
        var first = *(ulong*)at;
        new Span<byte>((void*)at, field.SizeBytes).Clear();
        return first == at ? 0 : first;
    }

    /// <summary>Destroys what a field owned. Call it with no lock held.</summary>
    internal static void Destroy(KernelCore core, BtfField field, ulong owned) => core.DropKptr(field, owned);
}
