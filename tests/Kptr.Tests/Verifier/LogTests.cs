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
        log[1].Should().MatchRegex(@"^0: \(b7\) r1 = 1 {24}; R1_w=1$");
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
        leak[0].Should().Be("topo_order[0] = ");
        leak[2].Should().MatchRegex(@"^0: \(b7\) r1 = 1 {24}; R1=1$");
        leak[3].Should().MatchRegex(
            @"^1: \(85\) call bpf_task_from_pid#\d+ +; R0=trusted_ptr_or_null_task_struct\(id=2\) refs=2$");
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

    [Fact]
    public void Log_PrintsInstructions_AsTheKernelDoes()
    {
        string[] asm =
        [
            "r6 = 5", "r6 += -1", "w6 s>>= 1", "r6 = -r6", "r7 = (s8)r6", "r7 = be16 r7", "r6 s/= 3",
            "*(u64 *)(r10 - 8) = -7", "*(u32 *)(r10 - 16) = r6", "r1 = *(u64 *)(r10 - 8)", "r1 = *(s16 *)(r10 - 8)",
            "r2 = 4294967296 ll", "lock *(u64 *)(r10 - 8) += r6", "r6 = atomic_fetch_or((u64 *)(r10 - 8), r6)",
            "if r6 > 7 goto +0", "if w6 s<= -1 goto +0", "gotol +0", "call bpf_get_prandom_u32", "r0 = 0", "exit",
        ];
        var lines = LogOf("socket", asm, level: 2).Select(l => l.Split(" ;")[0].TrimEnd());
        lines.Should().ContainInOrder(
            "0: (b7) r6 = 5", "1: (07) r6 += -1", "2: (c4) w6 s>>= 1", "3: (87) r6 = -r6", "4: (bf) r7 = (s8)r6",
            "5: (dc) r7 = be16 r7", "6: (37) r6 s/= 3", "7: (7a) *(u64 *)(r10 -8) = -7",
            "8: (63) *(u32 *)(r10 -16) = r6", "9: (79) r1 = *(u64 *)(r10 -8)", "10: (89) r1 = *(s16 *)(r10 -8)",
            "11: (18) r2 = 0x100000000", "13: (db) lock *(u64 *)(r10 -8) += r6",
            "14: (db) r6 = atomic64_fetch_or((u64 *)(r10 -8), r6)", "15: (25) if r6 > 0x7 goto pc+0",
            "16: (d6) if w6 s<= 0xffffffff goto pc+0", "17: (06) gotol pc+0", "18: (85) call bpf_get_prandom_u32#7",
            "19: (b7) r0 = 0", "20: (95) exit");
    }

    [Fact]
    public void Log_Level2_TellsHowPrecisionWasTracedBack_AndLevel1DoesNot()
    {
        string[] asm = ["r6 = 8", "r1 = r10", "r1 += -16", "*(u64 *)(r10 - 8) = 0", "r1 += r6", "r0 = *(u64 *)(r1 + 0)",
            "r0 = 0", "exit"];
        LogOf("socket", asm, level: 2).Should().ContainInOrder(
            "mark_precise: frame0: last_idx 4 first_idx 0 subseq_idx -1 ",
            "mark_precise: frame0: regs=r6 stack= before 3: (7a) *(u64 *)(r10 -8) = 0",
            "mark_precise: frame0: regs=r6 stack= before 0: (b7) r6 = 8");
        LogOf("socket", asm, level: 1).Should().NotContain(l => l.StartsWith("mark_precise", StringComparison.Ordinal));
        LogOf("socket linux-6.1", asm, level: 2).Should()
            .NotContain(l => l.StartsWith("mark_precise", StringComparison.Ordinal), "6.1 has other words");
    }

    [Fact]
    public void Log_WithStats_EndsWithTheStackOfEachFunction() =>
        LogOf("socket", ["*(u64 *)(r10 - 24) = 0", "call f", "exit", "f:", "r0 = 0", "exit"], level: 4)[^3]
            .Should().Be("stack depth 24+0");

    [Fact]
    public void Log_OfLinux7_2WithStats_NamesTheDeepestStackAndWhatGlobalFunctionsTook()
    {
        string[] asm = ["*(u64 *)(r10 - 24) = 0", "call f", "exit", "f:", "*(u64 *)(r10 - 8) = 0", "r0 = 0", "exit"];
        string[] Stats(string funcs) =>
            LogOf($"socket linux-7.2\n-- funcs\nstart main global\nf f {funcs}", asm, level: 4);
        Stats("static")[^4..^2].Should().Equal("stack depth 24+8 max 48", "insns processed 6");
        Stats("global")[^4..^2].Should().Equal("stack depth 24+8 max 48", "insns processed 3+3");
    }

    [Fact]
    public void Log_WithStats_CountsTheStackThatIsAddedAndLeavesOutWhatIsNotReached()
    {
        string[] asm = ["*(u64 *)(r10 - 8) = 0", "r6 = 0", "may_goto done", "if r6 == 0 goto done", "call f", "done:",
            "r0 = 0", "exit", "f:", "r0 = 0", "exit"];
        const string Funcs = "\n-- funcs\nstart main global\nf f static";
        LogOf("socket" + Funcs, asm, level: 4)[^3].Should().Be("stack depth 16");
        LogOf("socket linux-7.2" + Funcs, asm, level: 4)[^4].Should().Be("stack depth 24 max 16");
    }

    [Fact]
    public void Log_WithStats_CountsTheRegistersOfLoopsThatStandInPlace()
    {
        string[] Loop(int flags) => ["*(u32 *)(r10 - 4) = 0", "r1 = 8", "r2 = f ll", "r3 = 0", $"r4 = {flags}",
            "call bpf_loop", "r0 = 0", "exit", "f:", "r0 = 0", "exit"];
        const string Funcs = "socket\n-- funcs\nstart main global\nf f static";
        LogOf(Funcs, Loop(0), level: 4)[^3].Should().Be("stack depth 32+0");
    }

    [Fact]
    public void Log_OfLinux7_2_NamesFunctionsCalleesFirst()
    {
        string[] asm = ["call a", "call b", "exit", "a:", "call b", "exit", "b:", "r0 = 0", "exit"];
        LogOf("socket linux-7.2\n-- funcs\nstart main global\na a static\nb b static", asm, level: 2)[..3]
            .Should().Equal("topo_order[0] = b", "topo_order[1] = a", "topo_order[2] = main");
    }

    private static string[] LogOf(string prog, string[] asm, int level)
    {
        var text = $"# a log\n-- prog\n{prog}\n-- asm\n{string.Join('\n', asm)}\n-- expect\naccept\n";
        var program = new VerdictProgram(VerdictFile.Parse(text));
        var options = new VerifyOptions { LogLevel = level };
        return BpfVerifier.Verify(program.Link(), program.Kernel, options).Log.Split('\n');
    }
}
