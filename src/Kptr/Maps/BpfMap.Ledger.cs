using Kptr.Btf;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Maps;

// What the ledger and the checked interpreter ask about value memory.
public abstract partial class BpfMap
{
    private const BtfFieldKind OwningSlot = BtfFieldKind.KptrRef | BtfFieldKind.KptrPercpu;

    /// <summary>The key that leads to a slot.</summary>
    /// <param name="pool">The pool of the slot.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="key">Receives the key.</param>
    /// <returns>False when no key leads there now: the slot is free, spare or waiting.</returns>
    protected internal abstract bool TryGetKey(ValuePool pool, int slot, Span<byte> key);

    Holder IReferenceSource.DescribeSlot(ulong slotAddress)
    {
        foreach (var pool in _pools)
        {
            if (pool.TryFind(slotAddress, out var slot, out var cpu, out var offset)
                && Record.FindAt(offset) is { } field)
            {
                return HolderOf(pool, slot, cpu, field);
            }
        }

        return new UnlinkedHolder(Name, "?");
    }

    bool IReferenceSource.IsSpecial(ulong address, int sizeBytes)
    {
        foreach (var pool in Layout.HasSpecials ? _pools : [])
        {
            if (pool.TryFind(address, out _, out _, out var offset))
            {
                return Record.Overlaps(offset, sizeBytes);
            }
        }

        return false;
    }

    IEnumerable<HeldSlot> IReferenceSource.HeldSlots()
    {
        if (!Record.Has(OwningSlot | BtfFieldKind.GraphRoot))
        {
            yield break;
        }

        foreach (var pool in _pools)
        {
            for (var slot = 0; slot < pool.SlotCount; slot++)
            {
                for (var cpu = 0; cpu < pool.CpuCount; cpu++)
                {
                    foreach (var field in Record.Fields)
                    {
                        var at = pool.ValueOf(slot, cpu) + (ulong)field.OffsetBytes;
                        if ((field.Kind & OwningSlot) != 0 && ReadSlot(at) is var obj and not 0)
                        {
                            yield return new(at, obj, HolderOf(pool, slot, cpu, field));
                        }

                        foreach (var node in NodesOf(field, at))
                        {
                            var word = field.Kind == BtfFieldKind.ListHead ? "list" : "rbtree";
                            yield return new(at, node, new CollectionHolder(word, HolderOf(pool, slot, cpu, field)));
                        }
                    }
                }
            }
        }
    }

    /// <summary>
    /// The part of one of this map's heap allocations that a program finds at an address: one
    /// value, one key, or the whole.
    /// </summary>
    /// <param name="allocation">Start of the allocation.</param>
    /// <param name="sizeBytes">Size of the allocation.</param>
    /// <param name="address">An address in it.</param>
    internal unsafe MapPart PartAt(ulong allocation, long sizeBytes, ulong address)
    {
        var isWritable = (Spec.FlagsInKernel & MapFlags.RdOnlyProg) == 0;
        foreach (var pool in _pools)
        {
            if (!pool.IsBlock(allocation))
            {
                continue;
            }

            // An element's key is handed to callbacks of bpf_for_each_map_elem; nobody may write it.
            return pool.TryFind(address, out var slot, out var cpu, out _)
                ? new(pool.ValueOf(slot, cpu), ValueSize, isWritable)
                : pool.TryFindSlot(address, out slot, out _)
                    ? new((ulong)pool.SlotOf(slot) + (ulong)HashTable.KeyOffsetOf(KeySize), KeySize, false)
                : default;
        }

        return new(allocation, sizeBytes, isWritable && allocation != Address);
    }

    private List<ulong> NodesOf(BtfField field, ulong at) =>
        (field.Kind & BtfFieldKind.GraphRoot) == 0 || ReadSlot(at) == 0 ? [] : Core.Graphs.ObjectsNow(field.Kind, at);

    private static unsafe ulong ReadSlot(ulong at) => Volatile.Read(ref *(ulong*)at);

    private Holder HolderOf(ValuePool pool, int slot, int cpu, BtfField field)
    {
        Diagnostics.LockOrder.CallingOut("a map's TryGetKey");
        Span<byte> key = stackalloc byte[Math.Min(KeySize, 512)];
        return KeySize <= 512 && TryGetKey(pool, slot, key)
            ? new MapHolder(Name, MapHolder.TextOf(key), field.Name, IsPerCpu ? cpu : -1)
            : Policy.Behavior == DestroyBehavior.Recycle ? new RecycledHolder(Name, field.Name)
            : new UnlinkedHolder(Name, field.Name);
    }
}
