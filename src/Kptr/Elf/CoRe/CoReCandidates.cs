using Kptr.Btf;

namespace Kptr.Elf.CoRe;

/// <summary>
/// The kernel's types that may be what a program's type stands for: same kind, same name without flavour.
/// </summary>
internal static class CoReCandidates
{
    /// <summary>All candidates by rising id: vmlinux's, or where it has none, those of every module.</summary>
    public static List<BtfType> Find(KernelTypes kernel, BtfType local)
    {
        var found = FindOwn(kernel.Vmlinux, local);
        return found.Count > 0 ? found : [.. kernel.All.Skip(1).SelectMany(m => FindOwn(m, local))];
    }

    private static List<BtfType> FindOwn(BtfSpec btf, BtfType local)
    {
        var name = BtfQueries.EssentialName(local.Name).ToString();
        BtfKind[] kinds = local.Kind is BtfKind.Enum or BtfKind.Enum64 ? [BtfKind.Enum, BtfKind.Enum64] : [local.Kind];
        var plain = kinds.SelectMany(k => btf.FindAll(name, k)).Where(id => id >= btf.StartId);
        var flavoured = btf.Flavoured.Where(id => CoReTypes.SameKind(local, btf[id])
            && BtfQueries.EssentialName(btf[id].Name).SequenceEqual(name));
        return [.. plain.Union(flavoured).Order().Select(id => btf[id])];
    }
}
