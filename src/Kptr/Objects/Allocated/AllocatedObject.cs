using Kptr.Btf;

namespace Kptr.Objects;

/// <summary>
/// An object that a program made with <c>bpf_obj_new</c> or <c>bpf_percpu_obj_new</c>: a type of the program's own.
/// </summary>
/// <remarks>
/// Without a <c>bpf_refcount</c> it has one owner and its count (kept out of sight) is 1. At the last release its
/// fields give back what they own, at once; the memory follows after a grace period. Kernel: <c>__bpf_obj_drop_impl</c>
/// (kernel/bpf/helpers.c, 6.12).
/// </remarks>
public sealed class AllocatedObject : KernelObject
{
    internal const string CountPath = "kptr.count";
    private readonly BtfRecord _record;

    internal AllocatedObject(KernelCore core, ObjectLayout layout, BtfRecord record, bool isPercpu)
        : base(core, layout, CountPath)
    {
        _record = record;
        IsPercpu = isPercpu;
        Publish();
    }

    /// <summary>Whether every CPU has a copy of its own.</summary>
    public bool IsPercpu { get; }

    /// <summary>The type, in the program's BTF.</summary>
    public BtfType Type => Layout.Type!.Value;

    /// <summary>The special fields of the type.</summary>
    public BtfRecord Record => _record;

    /// <summary>Where a CPU's copy is; of objects that are not per-CPU, always the object.</summary>
    internal ulong CopyOf(int cpu) => IsPercpu ? Address + (ulong)(Layout.SizeBytes / Core.CpuCount * cpu) : Address;

    /// <inheritdoc/>
    protected override void OnLastRelease()
    {
        var ending = Core.Thread.Ending;
        ending.Enqueue(this);
        if (ending.Count > 1)
        {
            // The object that owned this one is being ended; it goes on with this one. A chain of owners costs no
            // stack (bfc888f04588, 2026).
            return;
        }

        var failures = default(Failures);
        for (; ending.TryPeek(out var next); ending.Dequeue())
        {
            try
            {
                next.End();
            }
            catch (Exception e)
            {
                failures.Add(Core, e);
            }
        }

        failures.ThrowIfAny();
    }

    private void End()
    {
        try
        {
            Core.FreeFields(_record, Address);
        }
        finally
        {
            Core.Rcu.Call(static o => ((KernelObject)o).Free(), this, "bpf_mem_free_rcu");
        }
    }
}
