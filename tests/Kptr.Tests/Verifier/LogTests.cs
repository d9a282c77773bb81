using Kptr.Tests.Golden;
using Kptr.Verifier;

namespace Kptr.Tests.Verifier;

/// <summary>The log has the kernel's form, which log viewers parse.</summary>
public class LogTests
{
    [Fact]
    public void Log_Level1_ShowsTheFailingPath()
    {
        var prog = new VerdictProgram(VerdictFile.Read(TestData.Path("verifier", "refs", "unreleased.txt"))).Link();
        var log = BpfVerifier.Verify(prog, VerdictProgram.Builtin, new VerifyOptions { LogLevel = 1 }).Log.Split('\n');
        log[0].Should().Be("0: R1=ctx() R10=fp0");
        log[1].Should().MatchRegex(@"^0: \(b7\) r1 = 0x1 +; R1_w=1$");
        log[2].Should().MatchRegex(
            @"^1: \(85\) call bpf_task_from_pid#\d+ +; R0_w=ptr_or_null_task_struct\(id=2,ref_obj_id=2\) refs=2$");
        log[^3].Should().Be("Unreleased reference id=2 alloc_insn=1");
        log[^2].Should().StartWith("processed 5 insns (limit 1000000) max_states_per_insn ");
    }

    [Fact]
    public void Log_OfLinux7_2_HasOneIdAndOneOffsetAndNoLiveness()
    {
        string[] LogOf(params string[] path)
        {
            var program = new VerdictProgram(VerdictFile.Read(TestData.Path(path)).Under("linux-7.2"));
            return BpfVerifier.Verify(
                program.Link(), program.Kernel, new VerifyOptions { LogLevel = 2 }).Log.Split('\n');
        }

        var leak = LogOf("verifier", "refs", "unreleased.txt");
        leak[1].Should().MatchRegex(@"^0: \(b7\) r1 = 0x1 +; R1=1$");
        leak[2].Should().MatchRegex(
            @"^1: \(85\) call bpf_task_from_pid#\d+ +; R0=ptr_or_null_task_struct\(id=2\) refs=2$");
        leak[^4].Should().Be("Unreleased reference id=2 alloc_insn=1");
        leak[^3].Should().Be("BPF_EXIT instruction in main prog would lead to reference leak");

        var packet = LogOf("verifier", "kernels", "packet_at_unknown_offset.txt");
        packet.Should().Contain(line => line.Contains(
            "R4=pkt(id=1,r=0,smin=umin=smin32=umin32=8,smax=umax=smax32=umax32=23,var_off=(0x0; 0x1f))",
            StringComparison.Ordinal));
        packet.Should().Contain(line => line.Contains("R2=pkt(id=1,r=23,", StringComparison.Ordinal));
        packet.Should().Contain("invalid access to packet, off=23 size=1, R2(id=1,off=23,r=23)");
    }

    [Fact]
    public void Log_Level2_ShowsEveryPath()
    {
        var prog = new VerdictProgram(VerdictFile.Read(TestData.Path("verifier", "refs", "released.txt"))).Link();
        VerifyResult one = BpfVerifier.Verify(prog, VerdictProgram.Builtin, new VerifyOptions { LogLevel = 1 }),
            two = BpfVerifier.Verify(prog, VerdictProgram.Builtin, new VerifyOptions { LogLevel = 2 });
        two.Log.Should().Contain("\nfrom 2 to 5:");
        two.Log.Length.Should().BeGreaterThan(one.Log.Length);
        two.Verdict.Should().Be(one.Verdict);
    }
}
