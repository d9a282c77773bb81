using CustomObject;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Tests.Kinds;

/// <summary>Correct kfuncs raise no alarm, whatever the seed.</summary>
public class SoundKfuncTests
{
    private static readonly string[] Families = ["bpf_task_", "bpf_cgroup_", "bpf_cpumask_"];

    // Of Kptr's own, those whose arguments the kit makes.
    private static readonly List<string> BuiltinNames =
        [.. KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux6_12).Keys.Where(name =>
            Families.Any(f => name.StartsWith(f, StringComparison.Ordinal))).Order(StringComparer.Ordinal)];

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
        for (var seed = 1; seed <= Seeds.Count; seed++)
        {
            var report = KfuncConformance.Check(kfuncs, can, new() { Seed = seed, Scripts = 15, Rounds = 1 });
            report.Passed.Count.Should().BeGreaterThan(11, report.ToString());
            report.Untried.Should().HaveCount(untried, report.ToString());
        }
    }
}
