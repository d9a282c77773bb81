using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Tests.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Kfuncs;

public class BuiltinKernelTests
{
    private static readonly KernelTypes Types = BuiltinKernel.Spec(KernelProfile.Linux6_12).Types;

    [Theory]
    [InlineData("__sk_buff", 192)]
    [InlineData("xdp_md", 24)]
    [InlineData("bpf_sock", 80)]
    [InlineData("bpf_sock_addr", 72)]
    [InlineData("bpf_sock_ops", 224)]
    [InlineData("bpf_sk_lookup", 72)]
    [InlineData("sk_msg_md", 80)]
    [InlineData("sk_reuseport_md", 56)]
    [InlineData("bpf_sockopt", 40)]
    [InlineData("bpf_flow_keys", 56)]
    [InlineData("pt_regs", 168)]
    [InlineData("bpf_perf_event_data", 184)]
    [InlineData("bpf_dynptr", 16)]
    [InlineData("bpf_timer", 16)]
    [InlineData("bpf_wq", 16)]
    [InlineData("bpf_list_head", 16)]
    [InlineData("bpf_list_node", 24)]
    [InlineData("bpf_rb_root", 16)]
    [InlineData("bpf_rb_node", 32)]
    [InlineData("bpf_refcount", 4)]
    [InlineData("bpf_spin_lock", 4)]
    [InlineData("bpf_iter_num", 8)]
    [InlineData("bpf_iter_bits", 16)]
    [InlineData("bpf_iter_css", 24)]
    [InlineData("bpf_crypto_params", 408)]
    [InlineData("bpf_ct_opts", 16)]
    [InlineData("cpumask", 1024)]
    public void Struct_OfTheUserAbi_HasLinuxSize(string name, int sizeBytes) =>
        Types[Types.Find(name, BtfKind.Struct)!.Value].SizeBytes.Should().Be(sizeBytes);

    [Theory]
    [InlineData("linux-6.2")]
    [InlineData("linux-6.12")]
    [InlineData("linux-7.2")]
    public void EveryKfunc_OfVmlinux_HasAFunctionWithTheDeclaredPrototype(string profile)
    {
        var spec = BuiltinKernel.Spec(KernelProfile.Find(profile)!);

        foreach (var kfunc in spec.Kfuncs.Values.Where(k => k.Module is null && k.Prototype.Length > 0))
        {
            var at = spec.Types.Find(kfunc.Name, BtfKind.Func);
            at.Should().NotBeNull(kfunc.Name);
            spec.Types[at!.Value].Ref.Kind.Should().Be(BtfKind.FuncProto);
        }
    }

    /// <summary>
    /// A kfunc takes any memory for a struct of numbers: the model, whose structs have fewer members, must not make one
    /// of what has pointers in the kernel. Structs that the kernel lacks, no kfunc of it takes.
    /// </summary>
    [Theory]
    [InlineData("6.12", "bpf_res_spin_lock", "bpf_ws_lock")]
    [InlineData("7.2", "bpf_ws_lock")]
    public void Struct_OfNumbersOnly_IsSoInTheKernelToo(string version, params string[] notThere)
    {
        var numbers = CellRows.Columns("number-structs.tsv").Where(c => c[1].Split(' ').Contains(version))
            .Select(c => c[0]);
        var vmlinux = BuiltinKernel.Spec(CellRows.ProfileOf(version)).Types.Vmlinux;
        Enumerable.Range(1, vmlinux.TypeCount - 1).Select(id => vmlinux[id])
            .Where(t => t is { Kind: BtfKind.Struct, Name: not "" } && VerifierRun.IsScalarStruct(t, 0))
            .Select(t => t.Name).Except(notThere).Should().BeSubsetOf(numbers);
    }

    [Fact]
    public void Dtors_AreThoseThatLinux612Registers() =>
        BuiltinKernel.Spec(KernelProfile.Linux6_12).Dtors.Keys.Should().BeEquivalentTo(
            "task_struct", "cgroup", "bpf_cpumask", "bpf_crypto_ctx", "prog_test_ref_kfunc", "prog_test_member");

    [Theory]
    [InlineData("task_newtask", 3)]
    [InlineData("sched_process_exec", 4)]
    [InlineData("sched_process_exit", 2)]
    [InlineData("sched_switch", 5)]
    public void Tracepoint_HasItsTypedef_WithTheHiddenFirstArgument(string name, int paramCount)
    {
        var typedef = Types[Types.Find("btf_trace_" + name, BtfKind.Typedef)!.Value];

        typedef.Ref.Kind.Should().Be(BtfKind.Ptr);
        typedef.Ref.Ref.VLen.Should().Be(paramCount);
    }
}
