using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kernels;

/// <summary>A kernel without a profile: what is read from its BTF, and what is the nearest profile's.</summary>
public class BtfKernelTests
{
    private const string Declarations = """
        enum bpf_map_type { BPF_MAP_TYPE_UNSPEC, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_BLOOM_FILTER = 30, __MAX_BPF_MAP_TYPE };
        enum btf_field_type { BPF_SPIN_LOCK = 1, BPF_TIMER = 2, BPF_KPTR_UNREF = 4, BPF_KPTR_REF = 8, BPF_UPTR = 2048 };
        struct task_struct { int pid; };
        struct task_struct *bpf_task_acquire(struct task_struct *p, int vendor) __attribute__((btf_decl_tag("bpf_kfunc")));
        void bpf_task_release(struct task_struct *p) __attribute__((btf_decl_tag("bpf_kfunc")));
        struct task_struct *bpf_task_from_vpid(int vpid) __attribute__((btf_decl_tag("bpf_kfunc")));
        void bpf_vendors_own(int x) __attribute__((btf_decl_tag("bpf_kfunc")));
        struct task_struct *bpf_task_from_pid(int pid);
        """;

    private static readonly BtfKernel s_kernel = BtfKernel.Read(
        "vendor-6.6", new KernelTypes(CDeclParser.Parse(Declarations, "vmlinux")), KernelProfile.Linux6_12);

    [Fact]
    public void Kfuncs_AreThoseThatItsBtfMarks_WithTheNearestFlags()
    {
        s_kernel.Spec.Kfuncs.Keys.Should().BeEquivalentTo(
            "bpf_task_acquire", "bpf_task_release", "bpf_task_from_vpid");
        s_kernel.Spec.Kfuncs["bpf_task_acquire"].Flags.Should().Be(
            KfuncRegistry.Builtin.SpecsOf(KernelProfile.Linux6_12)["bpf_task_acquire"].Flags);
        s_kernel.Spec.Dtors.Should().ContainKey("task_struct").And.NotContainKey("cgroup");
    }

    [Fact]
    public void Types_AndSpecialFields_AreThoseOfItsEnums()
    {
        s_kernel.Spec.Profile.Name.Should().Be("vendor-6.6");
        s_kernel.Spec.Profile.LastMapType.Should().Be(BpfMapType.BloomFilter);
        s_kernel.Spec.Profile.RecordRules.Kinds.Should().Be(
            BtfFieldKind.SpinLock | BtfFieldKind.Timer | BtfFieldKind.KptrUnref | BtfFieldKind.KptrRef
                | BtfFieldKind.Uptr);
        s_kernel.Spec.Profile.RecordRules.Tags.Should().ContainKeys("uptr", "kptr");
    }

    [Theory]
    [InlineData("map types", true)]
    [InlineData("program types", false)]
    [InlineData("special fields", true)]
    [InlineData("type tags of kptrs", false)]
    [InlineData("kfuncs and their prototypes", true)]
    [InlineData("flags of kfuncs and who may call them", false)]
    [InlineData("kfuncs of other kernels that it has", true)]
    [InlineData("kfuncs that no profile knows", true)]
    [InlineData("rules of the verifier, helpers, hooks, when values die", false)]
    public void Facts_SayWhichAreRead(string what, bool isRead) =>
        s_kernel.Facts.Single(f => f.What == what).IsRead.Should().Be(isRead);

    [Fact]
    public void Facts_NameWhatNobodyKnows() => s_kernel.ToString().Should().Contain("bpf_vendors_own")
        .And.Contain("bpf_task_from_vpid, with the flags those have (its BTF)");

    [Fact]
    public void KernelWithoutMarks_HasTheNearestKfuncsThatAreThere()
    {
        const string plain = "struct task_struct { int pid; }; void bpf_task_release(struct task_struct *p);";
        var kernel = BtfKernel.Read(
            "old", new KernelTypes(CDeclParser.Parse(plain, "vmlinux")), KernelProfile.Linux6_2);

        kernel.Spec.Kfuncs.Keys.Should().Equal("bpf_task_release");
        kernel.Spec.Profile.LastMapType.Should().Be(BpfMapType.CgrpStorage);
        kernel.Facts.Single(f => f.What == "map types").IsRead.Should().BeFalse();
    }
}
