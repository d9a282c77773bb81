using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>Which kfuncs of real kernels which programs may call, cell by cell.</summary>
public class KfuncCellTests
{
    // Kfuncs of 7.2 that nothing is declared for, so that no program may call them: schedulers' and others whose flags
    // its BTF does not tell, and those whose calls the verifier must know more of.
    private static readonly string[] NotDeclaredIn72 = """
        __scx_bpf_select_cpu_and bpf_dynptr_file_discard bpf_dynptr_from_file bpf_io_uring_get_region
        bpf_io_uring_submit_sqes bpf_real_data_inode bpf_task_work_schedule_resume
        bpf_task_work_schedule_signal scx_bpf_cid_curr scx_bpf_cid_to_cpu scx_bpf_cid_topo scx_bpf_cidperf_cap
        scx_bpf_cidperf_cur scx_bpf_cidperf_set scx_bpf_cpu_curr scx_bpf_cpu_node scx_bpf_cpu_to_cid
        scx_bpf_dsq_move scx_bpf_dsq_move_set_slice scx_bpf_dsq_move_set_vtime scx_bpf_dsq_move_vtime
        scx_bpf_dsq_peek scx_bpf_dsq_reenq scx_bpf_events scx_bpf_get_idle_cpumask_node
        scx_bpf_get_idle_smtmask_node scx_bpf_kick_cid scx_bpf_locked_rq scx_bpf_now scx_bpf_nr_cids
        scx_bpf_nr_node_ids scx_bpf_nr_online_cids scx_bpf_pick_any_cpu_node scx_bpf_pick_idle_cpu_node
        scx_bpf_reenqueue_local___v2 scx_bpf_select_cpu_and scx_bpf_task_cid scx_bpf_task_set_dsq_vtime
        scx_bpf_task_set_slice scx_bpf_this_cid scx_bpf_tid_to_task
        """.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    [Theory]
    [InlineData("6.12", 10_000)]
    [InlineData("7.2", 25_000)]
    [InlineData("6.1", 3_900)]
    public void Kfuncs_EveryProgramTypeAndAttachType_AreThoseTheKernelGives(string version, int atLeast)
    {
        var names = Names(version);
        var profile = CellRows.ProfileOf(version);
        var kfuncs = KfuncRegistry.Builtin.SpecsOf(profile);
        var wrong = new List<string>();
        var cells = 0;
        foreach (var (label, word) in CellRows.Read(FileOf(version)))
        {
            var (prog, kernel, _) = CellRows.ProgOf(label, profile: profile);
            if (word == "?")
            {
                CellRows.NothingIsAccepted(prog, kernel).Should().BeTrue(label);
                continue;
            }

            word.Should().HaveLength(names.Length);
            for (var i = 0; i < word.Length; i++, cells++)
            {
                var spec = kfuncs.GetValueOrDefault(names[i]);
                if (spec is null && version == "7.2" && NotDeclaredIn72.Contains(names[i]))
                {
                    continue;
                }

                var said = spec is null || !spec.IsOpenTo(prog, kernel) ? '.'
                    : (spec.Flags & KfuncFlags.Sleepable) != 0 && !prog.IsSleepable ? 's' : '+';
                // Where arguments are looked at first, the kernel could not say that it would sleep.
                if (said != word[i] && !(said == 's' && word[i] == '+' && !profile.SortsKfuncArgs))
                {
                    wrong.Add($"{label} {names[i]}: kernel {word[i]}, here {said}");
                }
            }
        }

        cells.Should().BeGreaterThan(atLeast);
        wrong.Should().BeEmpty();
    }

    /// <summary>Those that the kernel found to be kfuncs among all functions of its BTF.</summary>
    [Theory]
    [InlineData("6.12")]
    [InlineData("7.2")]
    [InlineData("6.1")]
    public void Kfuncs_OfTheKernelItself_AreDeclared(string version) => Names(version)
        .Except(KfuncRegistry.Builtin.SpecsOf(CellRows.ProfileOf(version)).Keys)
        .Should().BeEquivalentTo(version == "7.2" ? NotDeclaredIn72 : []);

    private static string FileOf(string version) => $"kfunc-cells-{version}.tsv";

    private static string[] Names(string version) =>
        File.ReadLines(TestData.Path(FileOf(version))).First().Split("; ")[^1].Split(' ');
}
