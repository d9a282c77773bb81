namespace Kptr.Tests.Verifier.Liveness;

/// <summary>What of the stack is live at an instruction: what something may still read.</summary>
public class StackLivenessTests
{
    [Theory]
    [InlineData("r1 = *(u64 *)(r10 - 8)", "-4 -8")]
    [InlineData("r1 = *(u32 *)(r10 - 8)", "-8")]
    [InlineData("r1 = *(u8 *)(r10 - 1)", "-4")]
    [InlineData("r1 = *(u64 *)(r10 - 512)", "-508 -512")]
    [InlineData("r1 = *(u64 *)(r10 - 8)\nr1 = *(u64 *)(r10 - 16)", "-4 -8 -12 -16")]
    [InlineData("*(u64 *)(r10 - 8) = r1", "")]
    [InlineData("*(u64 *)(r10 - 8) = r1\nr1 = *(u64 *)(r10 - 8)", "")]
    [InlineData("*(u32 *)(r10 - 8) = r1\nr1 = *(u64 *)(r10 - 8)", "-4")]
    [InlineData("*(u16 *)(r10 - 8) = r1\nr1 = *(u64 *)(r10 - 8)", "-4 -8")]
    [InlineData("*(u64 *)(r10 - 6) = r1\nr1 = *(u64 *)(r10 - 8)", "-8")]
    [InlineData("lock *(u64 *)(r10 - 8) += r1", "-4 -8")]
    [InlineData("r2 = r10\nr2 += -16\nr1 = *(u64 *)(r2 + 8)", "-4 -8")]
    [InlineData("r2 = r10\nr2 -= 16\n*(u64 *)(r2 + 8) = r1\nr1 = *(u64 *)(r10 - 8)", "")]
    [InlineData("r2 = r10\nr2 += r1\nr1 = *(u8 *)(r2 - 8)", "all")]
    [InlineData("r2 = r10\nr2 += r1\n*(u64 *)(r2 - 8) = 0\nr1 = *(u64 *)(r10 - 8)", "-4 -8")]
    [InlineData("r2 = r10\n*(u64 *)(r10 - 8) = r2\nr3 = *(u64 *)(r10 - 8)\nr1 = *(u64 *)(r3 - 16)", "-12 -16")]
    [InlineData("r2 = r10\n*(u64 *)(r10 - 8) = r2\n*(u32 *)(r10 - 8) = r1\nr3 = *(u64 *)(r10 - 8)", "")]
    [InlineData("r2 = r10\nw2 += 1\nr1 = *(u8 *)(r2 - 8)", "")]
    [InlineData("r2 = r10\nif r1 == 0 goto here\nr2 += -8\nhere:\nr1 = *(u64 *)(r2 - 8)", "-4 -8 -12 -16")]
    [InlineData(
        "r2 = r10\nif r1 == 0 goto here\nr2 += -8\nhere:\n*(u64 *)(r2 - 8) = 0\nr1 = *(u64 *)(r10 - 8)", "-4 -8")]
    [InlineData("if r1 == 0 goto here\n*(u64 *)(r10 - 8) = r1\nhere:\nr1 = *(u64 *)(r10 - 8)", "-4 -8")]
    [InlineData("r1 = 0\nif r1 == 0 goto here\nr1 = *(u64 *)(r10 - 8)\nhere:", "")]
    public void Stack_IsLive_WhereItIsReadBeforeItIsWritten(string asm, string live) =>
        new LivenessCode(asm + "\nr0 = 0\nexit").Live(0).Should().Be(live);

    [Fact]
    public void Loop_KeepsWhatItsNextRoundReads()
    {
        var code = new LivenessCode("""
            *(u64 *)(r10 - 8) = 0
            round:
            r1 = *(u64 *)(r10 - 8)
            *(u64 *)(r10 - 16) = r1
            if r1 != 0 goto round
            r0 = 0
            exit
            """);

        code.Live(0).Should().Be("");
        code.Live(2).Should().Be("-4 -8", "the other slot is never read");
        code.Live(4).Should().Be("");
    }

    [Theory]
    [InlineData("r3 = r10\nr3 += -8\nr4 = 0\nr1 = map ll\nr2 = r10\nr2 += -12\ncall bpf_map_update_elem",
        "-4 -8 -12", "a key of 4 bytes, and of a value of 24 what there is")]
    [InlineData("r1 = r10\nr1 += -16\nr2 = 16\nr3 = 0\ncall bpf_probe_read_kernel\nr1 = *(u64 *)(r10 - 16)", "",
        "filled")]
    [InlineData("r1 = r10\nr1 += -16\nr2 = 8\nr3 = 0\ncall bpf_probe_read_kernel\nr1 = *(u64 *)(r10 - 8)", "-4 -8",
        "filled elsewhere")]
    [InlineData("r1 = r10\nr1 += -16\nr2 = r6\nr3 = 0\ncall bpf_probe_read_kernel\nr1 = *(u64 *)(r10 - 16)", "-12 -16",
        "nobody knows how much is filled")]
    [InlineData("r1 = r10\nr1 += -8\nr2 = 5\ncall bpf_trace_printk", "-4 -8", "five bytes are read")]
    [InlineData("r1 = r10\nr1 += -24\nr2 = 5\ncall bpf_trace_printk", "-20 -24", "five bytes are read")]
    [InlineData("r1 = r10\nr1 += -8\nr2 = r6\ncall bpf_trace_printk", "-4 -8", "all that there is may be")]
    [InlineData("r1 = r10\nr1 += -8\nr2 = 0\nr3 = 4\ncall bpf_iter_num_new\nr1 = *(u64 *)(r10 - 8)", "", "made")]
    [InlineData("r1 = r10\nr1 += -8\ncall bpf_iter_num_next", "-4 -8", "asked")]
    [InlineData("r6 = r10\ncall bpf_get_prandom_u32\nr1 = *(u64 *)(r6 - 8)", "-4 -8", "callees keep R6")]
    [InlineData("r2 = r10\ncall bpf_get_prandom_u32\nr1 = *(u64 *)(r2 - 8)", "", "and not R2")]
    public void Calls_UseWhatTheirPrototypeSays(string asm, string live, string because) =>
        new LivenessCode(asm + "\nr0 = 0\nexit").Live(0).Should().Be(live, because);

    [Fact]
    public void Callee_ReadsAndWritesTheStackOfItsCaller()
    {
        var code = new LivenessCode("""
            r1 = r10
            r1 += -16
            call callee
            r0 = *(u64 *)(r10 - 24)
            exit
            callee:
            *(u64 *)(r1 + 8) = 0
            r0 = *(u64 *)(r1 + 0)
            r0 = *(u64 *)(r10 - 8)
            exit
            """);

        code.Live(2).Should().Be("-12 -16 -20 -24", "what the callee reads, and what is read behind the call");
        code.Live(3).Should().Be("-20 -24");
        code.Live(2, 1, 0, 5).Should().Be("-12 -16", "of the caller's frame");
        code.Live(2, 1, 1, 5).Should().Be("-4 -8", "of its own");
        code.Live(2, 1, 1, 8).Should().Be("");
    }

    [Fact]
    public void Callee_CalledTwice_WritesOnlyWhatBothCallsWrite()
    {
        // Both ways lead through one call of `inner`, with another pointer each.
        var code = new LivenessCode("""
            r6 = r1
            r1 = r10
            r1 += -8
            call outer
            r1 = r10
            r1 += -16
            call outer
            exit
            outer:
            call inner
            r0 = 0
            exit
            inner:
            *(u64 *)(r1 + 0) = 0
            r0 = 0
            exit
            """);

        code.Live(8, 2, 0, 11).Should().Be("");
        code.Live(0).Should().Be("");
        code.Stack.Find(3, 1).Should().NotBeNull();
        code.Stack.Find(6, 1).Should().NotBeNull();
        code.Stack.Find(11, 0).Should().BeNull("it was looked at where it is called");
    }

    [Fact]
    public void Callee_WithoutPointers_IsLookedAtOnce()
    {
        var code = new LivenessCode("call callee\ncall callee\nexit\ncallee:\nr0 = *(u64 *)(r10 - 8)\nexit");

        code.Stack.Find(0, 1).Should().BeNull();
        code.Live(3, 0, 0, 3).Should().Be("-4 -8");
    }

    [Fact]
    public void Callback_ReadsItsContext()
    {
        var code = new LivenessCode("""
            r1 = 4
            r2 = callback ll
            r3 = r10
            r3 += -16
            r4 = 0
            call bpf_loop
            r0 = 0
            exit
            callback:
            r0 = *(u64 *)(r2 + 8)
            exit
            """);

        code.Live(6).Should().Be("-4 -8");
        code.Live(7).Should().Be("");
    }

    [Fact]
    public void Callback_OfTwo_MayReadAll()
    {
        var code = new LivenessCode("""
            r2 = one ll
            if r1 == 0 goto call
            r2 = other ll
            call:
            r1 = 4
            r3 = r10
            r4 = 0
            call bpf_loop
            r0 = 0
            exit
            one:
            r0 = 0
            exit
            other:
            r0 = 0
            exit
            """);

        code.Live(8).Should().Be("all");
        code.Live(9).Should().Be("");
    }

    [Fact]
    public void Pointer_InTheCallersStack_IsFollowed()
    {
        var code = new LivenessCode("""
            r2 = r10
            r2 += -32
            *(u64 *)(r10 - 8) = r2
            r1 = r10
            r1 += -8
            call callee
            exit
            callee:
            r1 = *(u64 *)(r1 + 0)
            r0 = *(u64 *)(r1 + 0)
            exit
            """);

        code.Live(0).Should().Be("-28 -32");
    }
}
