using System.Runtime.CompilerServices;
using Kptr.Btf;

namespace Kptr.Elf.CoRe;

/// <summary>The kernel's types that may be what a program's type stands for: same kind, same name without flavour.</summary>
internal sealed class CoReCandidates
{
    private static readonly ConditionalWeakTable<BtfSpec, CoReCandidates> Cache = [];
    private readonly BtfSpec _btf;
    private readonly Dictionary<string, List<int>> _byName = [];

    private CoReCandidates(BtfSpec btf)
    {
        _btf = btf;
        var lookup = _byName.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var id = btf.StartId; id < btf.TypeCount; id++)
        {
            var name = btf[id].Name;
            if (name.Length == 0)
            {
                continue;
            }

            var essential = BtfQueries.EssentialName(name);
            if (!lookup.TryGetValue(essential, out var ids))
            {
                lookup[essential] = ids = [];
            }

            ids.Add(id);
        }
    }

    /// <summary>All candidates: vmlinux's, or where it has none, those of every module.</summary>
    public static List<BtfType> Find(KernelTypes kernel, BtfType local)
    {
        var found = Of(kernel.Vmlinux).FindOwn(local);
        return found.Count > 0 ? found : [.. kernel.All.Skip(1).SelectMany(m => Of(m).FindOwn(local))];
    }

    private static CoReCandidates Of(BtfSpec btf) => Cache.GetValue(btf, b => new(b));

    private List<BtfType> FindOwn(BtfType local)
    {
        var lookup = _byName.GetAlternateLookup<ReadOnlySpan<char>>();
        return lookup.TryGetValue(BtfQueries.EssentialName(local.Name), out var ids)
            ? [.. ids.Select(id => _btf[id]).Where(t => CoReTypes.SameKind(t, local))]
            : [];
    }
}
