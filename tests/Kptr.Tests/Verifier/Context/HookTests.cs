using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Specs;
using Kptr.Verifier;
using Kptr.Verifier.Context;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Context;

/// <summary>What a program's hook allows, asked of the rules alone: no path is explored.</summary>
public class HookTests
{
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);

    [Theory]
    [InlineData(ProgType.SocketFilter, false, null)]
    [InlineData(ProgType.Kprobe, true, null)]
    [InlineData(ProgType.SocketFilter, true, DiagCode.AttachTargetInvalid)]
    [InlineData(ProgType.Syscall, false, DiagCode.AttachTargetInvalid)]
    [InlineData(ProgType.Tracing, false, DiagCode.AttachTargetInvalid)]
    [InlineData(ProgType.StructOps, false, DiagCode.LicenseMissing)]
    public void Attach_OfEachKind_IsRefusedAtTheFirstInstruction(ProgType type, bool sleepable, DiagCode? code)
    {
        var resolve = () => new AttachRules(Prog(type) with { IsSleepable = sleepable }, s_kernel, false).Resolve();

        if (code is null)
        {
            resolve().Should().BeNull("it has no target");
        }
        else
        {
            resolve.Should().Throw<RejectException>().Which.Diagnostic.Should().Match<Diagnostic>(
                d => d.Code == code && d.InsnIdx == 0);
        }
    }

    [Theory]
    [InlineData(ProgType.Xdp, 0, 4, false, RegType.PtrToPacket)]
    [InlineData(ProgType.Xdp, 4, 4, false, RegType.PtrToPacketEnd)]
    [InlineData(ProgType.Xdp, 0, 8, false, null)]
    [InlineData(ProgType.Xdp, 0, 4, true, null)]
    [InlineData(ProgType.Xdp, -4, 4, false, null)]
    [InlineData(ProgType.SocketFilter, 76, 4, false, null)]
    [InlineData(ProgType.SocketFilter, 48, 4, true, RegType.Scalar)]
    public void Context_OfEachKind_SaysWhatALoadGives(ProgType type, int off, int size, bool write, object? gives)
    {
        var access = new ContextRules(new Hook(Prog(type), s_kernel, null), isCapable: true, new Lines())
            .Check(0, off, size, write, isLdsx: false);

        (access?.Type).Should().Be((RegType?)gives);
    }

    [Fact]
    public void Context_OfATracingProgram_FollowsThePrototypeAndSaysWhyNot()
    {
        var btf = CDeclParser.Parse("struct thing { int x; }; int traced(struct thing *t, int n, long f);", "test");
        var id = btf.FindId("traced", BtfKind.Func);
        var prog = Prog(ProgType.Tracing) with { ExpectedAttachType = AttachType.TraceFentry };
        var lines = new Lines();
        var target = new AttachTarget("traced", btf, btf[id].Ref, 0);
        var rules = new ContextRules(new Hook(prog, s_kernel, target), isCapable: true, lines);

        rules.Check(0, 0, 8, write: false, isLdsx: false)!.Value.Type.Should().Be(RegType.PtrToBtfId);
        rules.Check(0, 8, 4, write: false, isLdsx: false)!.Value.Type.Should().Be(RegType.Scalar);
        rules.Check(0, 0, 4, write: false, isLdsx: false).Should().BeNull();
        rules.Check(0, 24, 8, write: false, isLdsx: false).Should().BeNull("only fexit sees what is returned");
        lines.Said.Should().Equal("func 'traced' size 4 must be 8", "func 'traced' doesn't have 4-th argument");
    }

    [Theory]
    [InlineData(ProgType.SocketFilter, null, null, null)]
    [InlineData(ProgType.CgroupSkb, AttachType.CgroupInetEgress, 0, 3)]
    [InlineData(ProgType.CgroupSkb, AttachType.CgroupInetIngress, 0, 1)]
    [InlineData(ProgType.CgroupSockAddr, AttachType.CgroupInet4Bind, 0, 3)]
    [InlineData(ProgType.CgroupSockAddr, AttachType.CgroupUdp4Recvmsg, 1, 1)]
    [InlineData(ProgType.Tracing, AttachType.TraceFentry, 0, 0)]
    public void Returns_OfEachHook_HaveARange(ProgType type, AttachType? attach, int? min, int? max)
    {
        var range = new ReturnRanges(new Hook(Prog(type) with { ExpectedAttachType = attach }, s_kernel, null))
            .OfProgram();

        (range?.Min, range?.Max).Should().Be((min, max));
    }

    private static ProgSpec Prog(ProgType type) => new("p", type, []);

    private sealed class Lines : ILogLines
    {
        public List<string> Said { get; } = [];

        public void Line(string line) => Said.Add(line);
    }
}
