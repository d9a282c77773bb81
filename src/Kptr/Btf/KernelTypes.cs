using System.Collections.Immutable;

namespace Kptr.Btf;

/// <summary>
/// The type information of one kernel: <c>vmlinux</c> and its modules. Index 0 is vmlinux, modules follow.
/// </summary>
public sealed class KernelTypes
{
    /// <summary>Collects a kernel's BTFs.</summary>
    public KernelTypes(BtfSpec vmlinux, params IEnumerable<BtfSpec> modules)
    {
        ArgumentNullException.ThrowIfNull(vmlinux);
        ArgumentNullException.ThrowIfNull(modules);
        All = [vmlinux, .. modules];
        if (All.Contains(null!))
        {
            throw new ArgumentNullException(nameof(modules), "a module's BTF is null");
        }
    }

    /// <summary>The kernel's own BTF.</summary>
    public BtfSpec Vmlinux => All[0];

    /// <summary>
    /// Every BTF; the index is what <see cref="BtfRef.BtfIdx"/> and a kfunc call's <c>off</c> field name.
    /// </summary>
    public ImmutableArray<BtfSpec> All { get; }

    /// <summary>
    /// Whether the kernel has a struct of a name that <see cref="All"/> says nothing of; never, unless
    /// these types are an excerpt.
    /// </summary>
    internal Func<string, bool> HasUndescribedStruct { get; init; } = static _ => false;

    /// <summary>Finds a type by name and kind, in vmlinux first and then in the modules in order.</summary>
    /// <returns>The place, or <see langword="null"/> where no BTF has it.</returns>
    public BtfRef? Find(string name, BtfKind kind)
    {
        ArgumentNullException.ThrowIfNull(name);
        for (var i = 0; i < All.Length; i++)
        {
            var id = All[i].FindId(name, kind);
            if (id != 0)
            {
                return new BtfRef(id < All[i].StartId ? 0 : i, id);
            }
        }

        return null;
    }

    /// <summary>The BTF of the kernel and how many modules.</summary>
    public override string ToString() => $"{Vmlinux} and {All.Length - 1} modules";

    /// <summary>The type a place names.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such place.</exception>
    public BtfType this[BtfRef at] => (uint)at.BtfIdx < (uint)All.Length ? All[at.BtfIdx][at.TypeId]
        : throw new ArgumentOutOfRangeException(nameof(at), at, $"the kernel has {All.Length} BTFs");
}

/// <summary>A type of a kernel: which BTF (0 vmlinux, then modules) and which id in it.</summary>
public readonly record struct BtfRef(int BtfIdx, int TypeId);
