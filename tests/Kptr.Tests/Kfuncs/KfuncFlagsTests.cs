using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kfuncs;

/// <summary>Compares every declaration with what Linux 6.12's own sources register.</summary>
public class KfuncFlagsTests
{
    [Fact]
    public void Declarations_OfLinux612_AreThoseLinuxRegisters()
    {
        var linux = LinuxFacts().Where(f => !f.Source.Contains("bpf_testmod", StringComparison.Ordinal))
            .Select(f => $"{f.Name} {f.Flags} {f.Hooks}");

        var ours = KfuncRegistry.Builtin.Of(KernelProfile.Linux6_12)
            .Select(d => $"{d.Spec.Name} {d.Spec.Flags} {Registered(d.Hooks)}");

        ours.Should().BeEquivalentTo(linux);
    }

    [Fact]
    public void Declarations_WithABody_AreNotInTheTableOfUnmodelledOnes()
    {
        var names = KfuncRegistry.Builtin.Of(KernelProfile.Linux6_12).Select(d => d.Spec.Name);

        names.Should().OnlyHaveUniqueItems();
    }

    [Theory]
    [InlineData("bpf_task_acquire", ProgType.Lsm, true)]
    [InlineData("bpf_task_acquire", ProgType.CgroupSockopt, true)]
    [InlineData("bpf_task_acquire", ProgType.Kprobe, false)]
    [InlineData("bpf_put_file", ProgType.Lsm, true)]
    [InlineData("bpf_put_file", ProgType.Tracing, false)]
    [InlineData("bpf_crypto_encrypt", ProgType.SchedAct, true)]
    [InlineData("bpf_crypto_encrypt", ProgType.Syscall, false)]
    public void ProgTypes_ByHook_AreThoseTheKernelMapsToIt(string kfunc, ProgType type, bool mayCall)
    {
        var spec = KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux6_12)[kfunc];

        spec.ProgTypes.Contains(type).Should().Be(mayCall);
    }

    [Fact]
    public void ProgTypes_OfTheCommonSet_AreEmptyBecauseAllMayCall() =>
        KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux6_12)["bpf_rcu_read_lock"].ProgTypes.Should().BeEmpty();

    // That 7.2 keeps other structs of functions from it is a filter, not a registration.
    private static KfuncHooks Registered(KfuncHooks hooks) => hooks.HasFlag(KfuncHooks.SchedExt)
        ? (hooks & ~KfuncHooks.SchedExt) | KfuncHooks.StructOps : hooks;

    private static IEnumerable<(string Name, KfuncFlags Flags, KfuncHooks Hooks, string Source)> LinuxFacts() =>
        from line in File.ReadLines(TestData.Path("kfunc-flags-6.12.tsv"))
        where !line.StartsWith('#')
        let cells = line.Split('\t')
        select (cells[0], Enum.Parse<KfuncFlags>(cells[1].Replace('|', ',')),
            Enum.Parse<KfuncHooks>(cells[2].Replace('|', ',')), cells[3]);
}
