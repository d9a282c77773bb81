using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier;
using Kptr.Verifier.Callees;
using Kptr.Verifier.Cfg;

namespace Kptr.Tests.Verifier.Callees;

/// <summary>What calls name, without a verifier around them.</summary>
public class CallTableTests
{
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    [Fact]
    public void Helper_ThatTheProgramMayNotCall_IsNotFound()
    {
        var table = Table(ProgType.SocketFilter, []);

        table.FindHelper((int)HelperId.MapLookupElem)!.Id.Should().Be(HelperId.MapLookupElem);
        table.FindHelper((int)HelperId.MapLookupElem).Should().BeSameAs(table.FindHelper((int)HelperId.MapLookupElem));
        table.FindHelper((int)HelperId.XdpAdjustHead).Should().BeNull("socket filters may not");
        table.FindHelper(0).Should().BeNull();
        table.FindHelper(-1).Should().BeNull();
        table.FindHelper(CallTable.HelperIdMax + 1).Should().BeNull();
    }

    [Fact]
    public void Helper_ForCapabilities_IsNotFoundWithoutThem()
    {
        var table = Table(ProgType.SocketFilter, [], isCapable: false);

        table.FindHelper((int)HelperId.MapLookupElem).Should().NotBeNull();
        table.FindHelper((int)HelperId.SpinLock).Should().BeNull();
    }

    [Theory]
    [InlineData("bpf_task_acquire", CallTraits.None)]
    [InlineData("bpf_throw", CallTraits.Throw)]
    [InlineData("bpf_iter_num_next", CallTraits.IterNext)]
    [InlineData("bpf_list_pop_front", CallTraits.AllowedUnderLock)]
    public void Kfunc_HasTheTraitsOfItsNameAndFlags(string name, object traits)
    {
        var call = Kfunc(Id(name));
        var table = Table(ProgType.SchedCls, [call]);

        table.KfuncAt(call)!.Name.Should().Be(name);
        table.TraitsOf(call).Should().Be((CallTraits)traits);
        table.CheckKfuncExists(0);
    }

    [Fact]
    public void Kfunc_ThatIsNone_IsRefusedWhereItIsCalled()
    {
        var type = s_kernel.Types.Vmlinux.FindId("task_struct", BtfKind.Struct);
        BpfInsn[] insns = [Kfunc(Id("bpf_task_acquire")), Kfunc(type), Kfunc(0), Kfunc(1, btf: 99)];

        Refused(insns, 0, "Proprietary").Should().Be((DiagCode.LicenseMissing, 0));
        Refused(insns, 1).Should().Be((DiagCode.KfuncUnknown, 1));
        Refused(insns, 2).Should().Be(default, "a weak one may be missing");
        Refused(insns, 3).Should().Be((DiagCode.KfuncUnknown, 3));
    }

    private static (DiagCode, int?) Refused(BpfInsn[] insns, int at, string license = "GPL")
    {
        try
        {
            Table(ProgType.SchedCls, insns, license: license).CheckKfuncExists(at);
            return default;
        }
        catch (RejectException reject)
        {
            return (reject.Diagnostic.Code, reject.Diagnostic.InsnIdx);
        }
    }

    private static int Id(string kfunc) => s_kernel.Types.Vmlinux.FindId(kfunc, BtfKind.Func);

    private static BpfInsn Kfunc(int id, short btf = 0) =>
        new((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoKfuncCall, btf, id);

    private static CallTable Table(ProgType type, BpfInsn[] insns, bool isCapable = true, string license = "GPL") =>
        new(new ProgSpec("p", type, [.. insns]) { License = license }, s_kernel, insns, isCapable);
}
