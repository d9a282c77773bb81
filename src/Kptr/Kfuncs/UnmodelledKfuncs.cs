using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Kfuncs;

/// <summary>
/// Kfuncs of Linux 6.12 that programs may call and be judged for, but that the model has no body for (networking,
/// congestion control, HID, sched_ext). Calling one at run time is a reported fault.
/// </summary>
internal static class UnmodelledKfuncs
{
    /// <summary>
    /// Reads <c>Builtin/unmodelled.tsv</c>: name, flags, hooks, attach types, module, prototype; <c>-</c> is none.
    /// </summary>
    internal static IEnumerable<KfuncDeclaration> Read() =>
        from line in EmbeddedText.Read("unmodelled.tsv").Split('\n')
        where line.Length > 0 && line[0] != '#'
        select Row(line.Split('\t'));

    private static KfuncDeclaration Row(string[] cells)
    {
        Invariant.That(cells.Length == 6, $"unmodelled.tsv: a row of {cells.Length} cells");
        var hooks = Enum.Parse<KfuncHooks>(cells[2].Replace('|', ','));
        var spec = new KfuncSpec(
            cells[0], cells[5] == "-" ? "" : cells[5], Enum.Parse<KfuncFlags>(cells[1].Replace('|', ',')))
        {
            ProgTypes = hooks.ToProgTypes(),
            AttachTypes = cells[3] == "-" ? [] : [Enum.Parse<AttachType>(cells[3])],
            Module = cells[4] == "-" ? null : cells[4],
            Profiles = ProfileSet.Linux6_12 | ProfileSet.Linux7_2,
        };
        return new(spec, hooks, DestructorOf(cells[0]));
    }

    /// <summary>
    /// The two destructors that the kernel's own test code registers in vmlinux (net/bpf/test_run.c, 6.12).
    /// </summary>
    private static string? DestructorOf(string name) => name switch
    {
        "bpf_kfunc_call_test_release" => "prog_test_ref_kfunc",
        "bpf_kfunc_call_memb_release" => "prog_test_member",
        _ => null,
    };
}
