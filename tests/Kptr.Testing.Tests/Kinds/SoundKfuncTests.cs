using CustomObject;
using Kptr.Kfuncs;
using Kptr.Objects;

namespace Kptr.Testing.Tests.Kinds;

/// <summary>Correct kfuncs raise no alarm, whatever the seed.</summary>
public class SoundKfuncTests
{
    // Of Kptr's own, those whose arguments the kit makes.
    private static readonly string[] BuiltinNames =
    [
        "bpf_task_acquire", "bpf_task_release", "bpf_task_from_pid", "bpf_task_get_cgroup1", "bpf_task_under_cgroup",
        "bpf_cgroup_acquire", "bpf_cgroup_release", "bpf_cgroup_ancestor", "bpf_cgroup_from_id", "bpf_cpumask_create",
        "bpf_cpumask_acquire", "bpf_cpumask_release", "bpf_cpumask_first", "bpf_cpumask_set_cpu", "bpf_cpumask_and",
        "bpf_cpumask_test_cpu", "bpf_cpumask_equal", "bpf_cpumask_any_distribute",
    ];

    [Fact]
    public void NaiveKfuncs_RaiseNoAlarm() =>
        Sound(NaiveKfuncs.With(KfuncFault.None), NaiveKfuncs.Capabilities, untried: 0);

    [Fact]
    public void SampleKfuncs_RaiseNoAlarm() => Sound(KfuncRegistry.Builtin.With(typeof(GpuQueue)), new()
    {
        Declarations = GpuQueue.Declaration,
        Objects = new Dictionary<string, Func<KernelCore, KernelObject>> { ["gpu_queue"] = c => new GpuQueue(c, 7) },
    }, untried: 0);

    [Fact]
    public void BuiltinKfuncs_RaiseNoAlarm() =>
        Sound(KfuncRegistry.Builtin, new() { Kfuncs = BuiltinNames, Numbers = [1, 2] }, untried: 0);

    private static void Sound(KfuncRegistry kfuncs, KfuncCapabilities can, int untried)
    {
        for (var seed = 1; seed <= Seeds.SoundCount; seed++)
        {
            var report = KfuncConformance.Check(kfuncs, can, new() { Seed = seed, Scripts = 15, Rounds = 1 });
            report.Passed.Count.Should().BeGreaterThan(11, report.ToString());
            report.Untried.Should().HaveCount(untried, report.ToString());
        }
    }
}
