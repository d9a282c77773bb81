using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.State;

public class RegStateTests
{
    private static readonly MapSpec s_map = new("values", BpfMapType.Hash);

    [Fact]
    public void Target_ReadAsWhatItIs_IsGiven()
    {
        var map = new RegState { Type = RegType.PtrToMapValue, Map = s_map };
        var vmlinux = BuiltinKernel.Spec(KernelProfile.Linux6_12).Types.Vmlinux;
        var btf = new RegState { Type = RegType.PtrToBtfId, Btf = vmlinux };

        map.Map.Should().BeSameAs(s_map);
        btf.Btf.Should().BeSameAs(vmlinux);
        new RegState { Type = RegType.Scalar }.Map.Should().BeNull();
    }

#if DEBUG
    [Fact]
    public void Target_ReadAsSomethingElse_IsABugOfOurs()
    {
        var reg = new RegState { Type = RegType.PtrToMapValue, Map = s_map };

        var read = () => reg.Btf;

        read.Should().Throw<Kptr.Diagnostics.InvariantException>().WithMessage("*PtrToMapValue*MapSpec*BtfSpec*");
    }
#endif
}
