using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Kfuncs that programs may call and be judged for, but that the model has no body for (networking,
/// HID, sched_ext). Calling one at run time is a reported fault.
/// </summary>
internal static class UnmodelledKfuncs
{
    /// <summary>
    /// Reads <c>Builtin/unmodelled.tsv</c>, and the same of early kernels: name, flags, hooks, attach types, module,
    /// prototype; <c>-</c> is none.
    /// </summary>
    internal static IEnumerable<KfuncDeclaration> Read() =>
        Read("unmodelled.tsv", ProfileSet.Linux6_12 | ProfileSet.Linux7_2)
            .Concat(Read("unmodelled-early.tsv", ProfileSet.Early));

    /// <summary>Those that 7.2 has besides, or has otherwise than the rows for both.</summary>
    internal static IEnumerable<KfuncDeclaration> ReadLater() => Read("unmodelled-7.2.tsv", ProfileSet.Linux7_2);

    private static IEnumerable<KfuncDeclaration> Read(string file, ProfileSet profiles) =>
        from line in EmbeddedText.Read(file).Split('\n')
        where line.Length > 0 && line[0] != '#'
        select Row(line.Split('\t'), profiles);

    private static KfuncDeclaration Row(string[] cells, ProfileSet profiles)
    {
        Invariant.That(cells.Length == 6, $"kfuncs without a body: a row of {cells.Length} cells");
        var hooks = Enum.Parse<KfuncHooks>(cells[2].Replace('|', ','));
        var spec = new KfuncSpec(
            cells[0], cells[5] == "-" ? "" : cells[5], Enum.Parse<KfuncFlags>(cells[1].Replace('|', ',')))
        {
            ProgTypes = hooks.ToProgTypes(),
            AttachTypes = cells[3] == "-" ? [] : [.. cells[3].Split('|').Select(Enum.Parse<AttachType>)],
            Module = cells[4] == "-" ? null : cells[4],
            Profiles = profiles,
            StructOpsTypes = hooks.HasFlag(KfuncHooks.SchedExt) ? SchedulerKfuncs.TypesOf(cells[0])
                : hooks.HasFlag(KfuncHooks.Qdisc) ? ["Qdisc_ops"] : [],
            StructOpsMembers = hooks.HasFlag(KfuncHooks.SchedExt) ? SchedulerKfuncs.MembersOf(cells[0])
                : MembersOf(cells[0]),
        };
        return new(spec, hooks, DestructorOf(cells[0]));
    }

    /// <summary>The members of <c>Qdisc_ops</c> that its filter of kfuncs names (net/sched/bpf_qdisc.c, 7.2).</summary>
    private static ImmutableArray<string> MembersOf(string name) => name switch
    {
        "bpf_qdisc_skb_drop" => ["enqueue"],
        "bpf_qdisc_watchdog_schedule" => ["enqueue", "dequeue"],
        "bpf_qdisc_bstats_update" => ["dequeue"],
        _ => [],
    };

    /// <summary>
    /// The two destructors that the kernel's own test code registers in vmlinux (net/bpf/test_run.c, 6.12), and that of
    /// packets (net/sched/bpf_qdisc.c, 7.2).
    /// </summary>
    private static string? DestructorOf(string name) => name switch
    {
        "bpf_kfunc_call_test_release" => "prog_test_ref_kfunc",
        "bpf_kfunc_call_memb_release" => "prog_test_member",
        "bpf_kfree_skb" => "sk_buff",
        _ => null,
    };
}
