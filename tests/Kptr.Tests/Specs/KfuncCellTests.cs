using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Specs;

/// <summary>Which kfuncs of real kernels which programs may call, cell by cell.</summary>
public class KfuncCellTests
{
    // Kfuncs of 7.2 that nothing is declared for, so that no program may call them: those whose calls the verifier must
    // know more of.
    private static readonly string[] NotDeclaredIn72 = """
        bpf_dynptr_file_discard bpf_dynptr_from_file bpf_io_uring_get_region bpf_io_uring_submit_sqes
        bpf_real_data_inode bpf_task_work_schedule_resume bpf_task_work_schedule_signal
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

    /// <summary>The kernel's groups by function, of which the cells ask one.</summary>
    [Theory]
    [InlineData("scx_bpf_dsq_insert", "select_cpu enqueue dispatch", "init running")]
    [InlineData("scx_bpf_dsq_move", "dispatch init cpu_online", "enqueue")]
    [InlineData("scx_bpf_select_cpu_dfl", "select_cpu enqueue init_task exit", "dispatch")]
    [InlineData("scx_bpf_cid_override", "init", "exit")]
    [InlineData("scx_bpf_kick_cpu", "enqueue init running", "")]
    public void SchedulerKfuncs_AreOpenToTheFunctionsOfTheirGroup(string kfunc, string may, string mayNot)
    {
        var spec = KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux7_2)[kfunc];
        bool IsOpen(string type, string member)
        {
            var (prog, kernel, _) = CellRows.ProgOf($"StructOps:{type}.{member}", profile: KernelProfile.Linux7_2);
            return spec.IsOpenTo(prog, kernel);
        }

        may.Split(' ').Where(m => !IsOpen("sched_ext_ops", m)).Should().BeEmpty();
        mayNot.Split(' ').Where(m => m.Length > 0 && IsOpen("sched_ext_ops", m)).Should().BeEmpty();
        IsOpen("sched_ext_ops_cid", "enqueue").Should().Be(kfunc == "scx_bpf_dsq_insert");
    }

    private static string FileOf(string version) => $"kfunc-cells-{version}.tsv";

    private static string[] Names(string version) =>
        File.ReadLines(TestData.Path(FileOf(version))).First().Split("; ")[^1].Split(' ');
}
