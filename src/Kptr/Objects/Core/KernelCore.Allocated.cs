using System.Collections.Concurrent;
using Kptr.Btf;

namespace Kptr.Objects;

// What programs allocate, and the lists and trees they put it into.
public partial class KernelCore
{
    /// <summary>The largest per-CPU object (<c>BPF_GLOBAL_PERCPU_MA_MAX_SIZE</c>).</summary>
    internal const int PercpuObjectBytesMax = 512;

    private readonly ConcurrentDictionary<(BtfSpec Btf, int TypeId, bool IsPercpu), Lazy<ObjectLayout>>
        _allocatedLayouts = new();

    /// <summary>The lists and trees that programs make.</summary>
    internal Graphs Graphs => field ??= new(this);

    /// <summary>Makes an object of a program's type; its one reference is the caller's.</summary>
    /// <param name="type">A struct of the program's BTF.</param>
    /// <param name="record">Its special fields.</param>
    internal AllocatedObject NewObject(BtfType type, BtfRecord record) => New(type, record, isPercpu: false);

    /// <summary>Makes a per-CPU object of a program's type; its one reference is the caller's.</summary>
    internal AllocatedObject NewPercpuObject(BtfType type) => New(type, BtfRecord.Empty, isPercpu: true);

    /// <summary>
    /// Frees what the special fields of dying memory own. Timers and work are their implementer's business.
    /// </summary>
    /// <remarks>Call it with no lock held: destructors run here.</remarks>
    internal void FreeFields(BtfRecord record, ulong address)
    {
        var failures = default(Failures);
        foreach (var field in record.Fields)
        {
            try
            {
                FreeField(record, field, address);
            }
            catch (Exception e)
            {
                failures.Add(this, e);
            }
        }

        failures.ThrowIfAny();
    }

    private void FreeField(BtfRecord record, BtfField field, ulong address)
    {
        var at = address + (ulong)field.OffsetBytes;
        if ((field.Kind & BtfFieldKind.Kptr) != 0)
        {
            DropSlot(field, at);
        }
        else if ((field.Kind & BtfFieldKind.GraphRoot) != 0)
        {
            var spinLock = record.Fields.FirstOrDefault(f => f.Kind == BtfFieldKind.SpinLock);
            Graphs.Free(field, at, spinLock is null ? 0 : address + (ulong)spinLock.OffsetBytes);
        }
    }

    private AllocatedObject New(BtfType type, BtfRecord record, bool isPercpu)
    {
        var layout = _allocatedLayouts.GetOrAdd((type.Btf, type.Id, isPercpu), _ => new(() =>
            new(Heap, type, record, isPercpu ? CpuCount : 1, AllocatedObject.CountPath)));
        return new(this, layout.Value, record, isPercpu);
    }
}
