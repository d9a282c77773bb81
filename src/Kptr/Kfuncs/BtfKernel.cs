using System.Collections.Immutable;
using Kptr.Btf;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>Where a fact of a <see cref="BtfKernel"/> comes from.</summary>
/// <param name="What">What it is about, <c>map types</c>.</param>
/// <param name="IsRead">Whether the kernel's BTF says so; else it is the nearest profile's.</param>
/// <param name="Says">What it is, for a person.</param>
public sealed record BtfKernelFact(string What, bool IsRead, string Says)
{
    /// <summary>The fact and its origin.</summary>
    public override string ToString() => $"{What}: {Says} ({(IsRead ? "its BTF" : "the nearest profile")})";
}

/// <summary>
/// A kernel without a profile of its own, such as a vendor's: what its BTF tells is read from it, the rest is the
/// nearest profile's, and <see cref="Facts"/> say which is which. Immutable.
/// </summary>
/// <remarks>
/// A verdict for such a kernel is as true as the nearest profile's rules are for it: patches that change the verifier
/// and leave no trace in types are not seen.
/// </remarks>
public sealed class BtfKernel
{
    private const string KfuncTag = "bpf_kfunc";

    private BtfKernel(KernelSpec spec, ImmutableArray<BtfKernelFact> facts) => (Spec, Facts) = (spec, facts);

    /// <summary>The kernel, to check and load for. Its profile has the kernel's name.</summary>
    public KernelSpec Spec { get; }

    /// <summary>What was read and what was not.</summary>
    public ImmutableArray<BtfKernelFact> Facts { get; }

    /// <summary>Reads a kernel.</summary>
    /// <param name="name">What it is to be called, <c>vendor-6.6</c>.</param>
    /// <param name="types">Its BTF and its modules'.</param>
    /// <param name="nearest">The profile whose rules it has.</param>
    /// <param name="kfuncs">Kfuncs that somebody knows the flags of; null for Kptr's.</param>
    public static BtfKernel Read(string name, KernelTypes types, KernelProfile nearest, KfuncRegistry? kfuncs = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(types);
        ArgumentNullException.ThrowIfNull(nearest);
        kfuncs ??= KfuncRegistry.Builtin;
        var facts = ImmutableArray.CreateBuilder<BtfKernelFact>();
        var profile = nearest with { Name = name };
        profile = profile with
        {
            LastMapType = (BpfMapType)LastOf(types, facts, "map types", "bpf_map_type", (int)profile.LastMapType),
            LastProgType = (ProgType)LastOf(types, facts, "program types", "bpf_prog_type", (int)profile.LastProgType),
            RecordRules = ReadFields(types, facts, profile.RecordRules),
        };
        var known = ReadKfuncs(types, facts, nearest, kfuncs);
        facts.Add(new("destructors of kptrs", false, "by the kfuncs that it has"));
        facts.Add(new("rules of the verifier, helpers, hooks, when values die", false, $"those of {nearest}"));
        return new(
            BuiltinKernel.Spec(profile, types, kfuncs) with
            {
                Kfuncs = known,
                Dtors = kfuncs.DtorsOf(nearest).Where(d => known.ContainsKey(d.Value)).ToImmutableDictionary(),
            },
            facts.ToImmutable());
    }

    /// <summary>Every fact, a line each.</summary>
    public override string ToString() => $"{Spec.Profile.Name}\n{string.Join('\n', Facts)}";

    // Types are numbered in the order they came; "__MAX" is one more than the last. What nobody knows is left out.
    private static int LastOf(
        KernelTypes types, ImmutableArray<BtfKernelFact>.Builder facts, string what, string name, int nearest)
    {
        var values = Enumerators(types, name);
        if (values.Count == 0)
        {
            facts.Add(new(what, false, $"up to {nearest}: there is no enum {name}"));
            return nearest;
        }

        var last = values.Where(v => !v.Key.StartsWith("__MAX", StringComparison.Ordinal)).Max(v => v.Value);
        var read = (int)Math.Min(last, LastKnown(name));
        facts.Add(new(what, true, $"up to {read}"));
        return read;
    }

    private static int LastKnown(string name) => name == "bpf_map_type"
        ? KernelProfile.All.Max(p => (int)p.LastMapType) : KernelProfile.All.Max(p => (int)p.LastProgType);

    private static BtfRecordRules ReadFields(
        KernelTypes types, ImmutableArray<BtfKernelFact>.Builder facts, BtfRecordRules nearest)
    {
        (string Name, BtfFieldKind Kind)[] names =
        [
            ("BPF_SPIN_LOCK", BtfFieldKind.SpinLock), ("BPF_TIMER", BtfFieldKind.Timer),
            ("BPF_KPTR_UNREF", BtfFieldKind.KptrUnref), ("BPF_KPTR_REF", BtfFieldKind.KptrRef),
            ("BPF_KPTR_PERCPU", BtfFieldKind.KptrPercpu), ("BPF_LIST_HEAD", BtfFieldKind.ListHead),
            ("BPF_LIST_NODE", BtfFieldKind.ListNode), ("BPF_RB_ROOT", BtfFieldKind.RbRoot),
            ("BPF_RB_NODE", BtfFieldKind.RbNode), ("BPF_REFCOUNT", BtfFieldKind.Refcount),
            ("BPF_WORKQUEUE", BtfFieldKind.Workqueue), ("BPF_UPTR", BtfFieldKind.Uptr),
            ("BPF_RES_SPIN_LOCK", BtfFieldKind.ResSpinLock), ("BPF_TASK_WORK", BtfFieldKind.TaskWork),
        ];
        var values = Enumerators(types, "btf_field_type");
        var has = names.Where(n => values.ContainsKey(n.Name)).Aggregate(BtfFieldKind.None, (k, n) => k | n.Kind);
        if (has == BtfFieldKind.None)
        {
            facts.Add(new("special fields", false, $"{nearest.Kinds}: no enum btf_field_type names them"));
            return nearest;
        }

        var tags = KernelProfile.Linux7_2.RecordRules.Tags.Where(t => (t.Value & has) != 0).ToImmutableDictionary();
        facts.Add(new("special fields", true, $"{has}"));
        facts.Add(new("type tags of kptrs", false, string.Join(", ", nearest.Tags.Keys.Order())));
        return nearest with { Kinds = has, Tags = tags.SetItems(nearest.Tags) };
    }

    private static ImmutableDictionary<string, KfuncSpec> ReadKfuncs(
        KernelTypes types, ImmutableArray<BtfKernelFact>.Builder facts, KernelProfile nearest, KfuncRegistry kfuncs)
    {
        var tagged = Tagged(types);
        var own = kfuncs.SpecsOf(nearest);
        var known = own.Where(k => types.Find(k.Key, BtfKind.Func) is not null && (tagged.Count == 0
            || tagged.Contains(k.Key) || !k.Key.StartsWith("bpf_", StringComparison.Ordinal))).ToImmutableDictionary();
        facts.Add(new("kfuncs and their prototypes", true,
            $"{known.Count} of the {own.Count} that {nearest} has"));
        facts.Add(new("flags of kfuncs and who may call them", false, "as it has them"));
        var added = KernelProfile.All.Reverse().Where(p => p.Member != nearest.Member)
            .SelectMany(p => kfuncs.SpecsOf(p)).Where(k => tagged.Contains(k.Key) && !known.ContainsKey(k.Key))
            .DistinctBy(k => k.Key).Select(k => KeyValuePair.Create(
                k.Key, k.Value with { Profiles = k.Value.Profiles | nearest.Member })).ToList();
        if (added.Count > 0)
        {
            facts.Add(new("kfuncs of other kernels that it has", true,
                $"{string.Join(", ", added.Select(k => k.Key).Order())}, with the flags those have"));
        }

        var all = known.SetItems(added);
        var unknown = tagged.Where(n => !all.ContainsKey(n)).Order().ToList();
        if (unknown.Count > 0)
        {
            facts.Add(new("kfuncs that no profile knows", true,
                $"{unknown.Count}, which programs may not call here: {string.Join(", ", unknown)}"));
        }

        return all;
    }

    /// <summary>Functions that a kernel's build marks as kfuncs; none where it does not mark them.</summary>
    private static HashSet<string> Tagged(KernelTypes types)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var btf in types.All)
        {
            for (var id = btf.StartId; id < btf.TypeCount; id++)
            {
                if (btf.KindOf(id) == BtfKind.DeclTag && btf.NameOf(id) == KfuncTag)
                {
                    found.Add(btf[id].Ref.Name);
                }
            }
        }

        return found;
    }

    private static Dictionary<string, long> Enumerators(KernelTypes types, string name)
    {
        var found = new Dictionary<string, long>(StringComparer.Ordinal);
        if (types.Find(name, BtfKind.Enum) is { } at)
        {
            var type = types[at];
            for (var i = 0; i < type.VLen; i++)
            {
                found[type.EnumValue(i).Name] = type.EnumValue(i).Value;
            }
        }

        return found;
    }
}
