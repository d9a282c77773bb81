using Kptr.Btf.CDecl;

namespace Kptr.Btf;

/// <summary>Prints BTF as C declarations, which <see cref="CDeclParser"/> reads back to the same types.</summary>
/// <remarks>
/// What a declaration needs stands before it, as in bpftool's <c>vmlinux.h</c>; of two different types with one name
/// the second is called <c>name___2</c>. Gaps that no attribute explains become unnamed bit fields. Type tags print as
/// the kernel's macros (<c>__kptr</c>, <c>__rcu</c>).
/// </remarks>
public static class BtfCPrinter
{
    /// <summary>All of a BTF's own types (of a split BTF, with what they need of its base).</summary>
    public static string Print(BtfSpec btf)
    {
        ArgumentNullException.ThrowIfNull(btf);
        return Print(btf, Enumerable.Range(btf.StartId, btf.TypeCount - btf.StartId));
    }

    /// <summary>Some types, in this order, each after what it needs.</summary>
    public static string Print(BtfSpec btf, IEnumerable<int> typeIds)
    {
        ArgumentNullException.ThrowIfNull(btf);
        ArgumentNullException.ThrowIfNull(typeIds);
        var dump = new CDump(btf);
        foreach (var id in typeIds)
        {
            dump.AddRoot(btf[id].Id);
        }

        return dump.Finish();
    }

    /// <summary>A variable, member or parameter of this type: <c>struct task_struct __kptr *task</c>.</summary>
    /// <param name="type">Its type; structs and enums with a name are not spelled out.</param>
    /// <param name="name">Its name; empty gives the type alone.</param>
    public static string Declare(BtfType type, string name = "")
    {
        ArgumentNullException.ThrowIfNull(name);
        return type.Btf is null
            ? throw new ArgumentException("no type", nameof(type))
            : new CWriter(type.Btf).Declare(type.Btf[type.Id].Id, name, 0);
    }
}
