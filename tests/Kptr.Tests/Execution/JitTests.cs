using System.Runtime;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;

namespace Kptr.Tests.Execution;

/// <summary>What is peculiar to native code: when it is made, what it is not made of, and its functions.</summary>
public class JitTests
{
    [Fact]
    public void Run_Often_IsCompiledMeanwhile()
    {
        using var machine = Machine("r0 = r2\nr0 += 1\nexit");
        machine.CompiledFor(ExecEngine.Auto).Should().BeNull();

        SpinWait.SpinUntil(
            () => machine.Run(new byte[4]).R0 == 5 && machine.CompiledFor(ExecEngine.Auto) is not null,
            TimeSpan.FromMinutes(1)).Should().BeTrue();

        machine.Run(new byte[7]).R0.Should().Be(8);
    }

    // The host makes code of a method when it is first called: the run that came next paid for most of it.
    [Fact]
    public void Run_OnceCompiledMeanwhile_WaitsForNoCode()
    {
        Func<int> compiledByNextRun = () =>
        {
            using var machine = Machine("r0 = r2\ncall sub\nexit\nsub: r0 = 6\nexit");
            SpinWait.SpinUntil(
                () => machine.Run(new byte[4]).R0 == 6 && machine.CompiledFor(ExecEngine.Auto) is not null,
                TimeSpan.FromMinutes(1)).Should().BeTrue();
            var before = JitInfo.GetCompiledMethodCount(currentThread: true);
            machine.Run(new byte[4]).R0.Should().Be(6);
            return (int)(JitInfo.GetCompiledMethodCount(currentThread: true) - before);
        };
        compiledByNextRun(); // and what of the machine itself is new to the host

        compiledByNextRun().Should().Be(0);
    }

    [Fact]
    public void Run_PacketLoadAfterARawHelper_KnowsWhatWasWrittenBefore()
    {
        const string text = "r6 = 0\nr0 = *(u8 *)skb[r6 + 0]\nr6 = 2\ncall 1\nr0 = *(u8 *)skb[r6 + 1]\nexit";
        using var machine = Interpreter.ForRaw(
            [.. TextAssembler.Assemble(text).Insns],
            new Dictionary<int, RawHelper> { [1] = static (_, _, _, _, _) => 0 });
        Engines.IsCompiled(machine).Should().BeTrue();
        Engines.Run(machine, [10, 11, 12, 13]).R0.Should().Be(13);
    }

    [Fact]
    public void Run_Long_IsCompiledForItsNextRun()
    {
        using var machine = Machine("r0 = 0\ntop: r0 += 1\nif r0 < 10000000 goto top\nexit");
        machine.Run([]).R0.Should().Be(10_000_000);

        SpinWait.SpinUntil(() => machine.CompiledFor(ExecEngine.Auto) is not null, TimeSpan.FromMinutes(1))
            .Should().BeTrue();
        machine.Run([]).R0.Should().Be(10_000_000);
    }

    [Theory]
    [InlineData("r6 = 1\ncall sub\nexit\nsub: r0 = r6\nexit", "a callee reads its caller's r6")]
    [InlineData("r1 = 1\ncall sub\nr0 = r1\nexit\nsub: r1 = 7\nexit", "a caller reads what the callee left in r1")]
    [InlineData("r0 = 3\ncall sub\nexit\nsub: exit", "a callee returns its caller's r0")]
    public void Run_FunctionsThatShareMore_StayInterpreted(string text, string because)
    {
        using var machine = Machine(text);
        Engines.IsCompiled(machine).Should().BeFalse(because);
        Engines.Run(machine, []).IsOk.Should().BeTrue();
    }

    [Fact]
    public void Run_FunctionOfFewArguments_CalledInALoop_IsCompiled()
    {
        using var machine = Machine(
            "r6 = 0\nr7 = 0\ntop: r1 = r6\ncall twice\nr7 += r0\nr6 += 1\nif r6 < 9 goto top\nr0 = r7\nexit\n"
            + "twice: call same\nr0 += r0\nexit\nsame: r0 = r1\nexit");
        Engines.IsCompiled(machine).Should().BeTrue("the function reads nothing of the other arguments");
        Engines.Run(machine, []).R0.Should().Be(72);
    }

    [Theory]
    [InlineData("call sub\nexit\nsub: r0 = *(u64 *)(r10 + 8)\nexit", DiagCode.None)]
    [InlineData("r1 = r10\nr1 += -8\ncall sub\nexit\nsub: r0 = *(u64 *)(r1 + 0)\nexit", DiagCode.None)]
    [InlineData("top: call top\nr0 = 0\nexit", DiagCode.RunCallTooDeep)]
    [InlineData("call sub\nexit\nsub: r0 = 0\ntop: goto top", DiagCode.RunOutOfFuel)]
    [InlineData("r0 = *(u64 *)(r10 - 516)\nexit", DiagCode.RunBadAccess)]
    [InlineData("r1 = r10\nr1 += -4\nlock *(u64 *)(r1 + 0) += r1\nr0 = 0\nexit", DiagCode.RunBadAccess)]
    [InlineData("r0 = 0\nr3 = 1\nif r3 == 1 goto +9\nexit", DiagCode.RunBadTarget)]
    [InlineData("r0 = 0", DiagCode.RunBadTarget)]
    public void Run_EdgesOfFramesAndCode_AreTheSameInEachEngine(string text, DiagCode expected)
    {
        using var machine = Machine(text);
        Engines.IsCompiled(machine).Should().BeTrue();
        var result = Engines.Run(machine, [], new() { Fuel = 100_000 });
        (result.Fault?.Code ?? DiagCode.None).Should().Be(expected);
    }

    // Code for a frame trusts its pointer: a fetch into it once moved it, and native code wrote anywhere.
    [Theory]
    [InlineData("r10 = 1")]
    [InlineData("r10 += 8")]
    [InlineData("w10 = w1")]
    [InlineData("r10 = be64 r10")]
    [InlineData("r10 = 1 ll")]
    [InlineData("r10 = *(u64 *)(r10 - 8)")]
    [InlineData("r10 = *(s32 *)(r10 - 8)")]
    [InlineData("r10 = atomic_fetch_add((u64 *)(r10 - 8), r10)")]
    [InlineData("w10 = atomic_fetch_xor((u32 *)(r10 - 8), w10)")]
    [InlineData("r10 = xchg_64(r10 - 8, r10)")]
    public void Run_WritesTheFramePointer_IsABadInsnInEachEngine(string text)
    {
        using var machine = Machine($"r0 = 0\n{text}\n*(u64 *)(r10 - 16) = r0\nexit");
        Engines.IsCompiled(machine).Should().BeTrue();
        Engines.Run(machine, []).Fault!.Should().BeEquivalentTo(new { Code = DiagCode.RunBadInsn, InsnIdx = 1 });
    }

    [Fact]
    public void Run_LoadThatAcquiresIntoTheFramePointer_IsABadInsnToo()
    {
        const int acquire = 0x100;
        var load = new BpfInsn((byte)InsnClass.Stx | BpfOp.Atomic | BpfOp.Dw, 10, 10, -8, acquire);
        using var machine = Interpreter.ForRaw([Asm.Mov(Asm.R0, 0), load, Asm.Exit()]);
        Engines.Run(machine, []).Fault!.Should().BeEquivalentTo(new { Code = DiagCode.RunBadInsn, InsnIdx = 1 });
    }

    // Addresses made from the frame pointer and a number that only the run knows: r2 is 0 here.
    [Theory]
    [InlineData("r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 - 512)\nexit", DiagCode.None)]
    [InlineData("r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 - 8)\nexit", DiagCode.None)]
    [InlineData("r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 - 513)\nexit", DiagCode.RunBadAccess)]
    [InlineData("r3 = r10\nr3 += r2\n*(u64 *)(r3 - 7) = 1\nexit", DiagCode.RunBadAccess)]
    [InlineData("r3 = r10\nr3 += r2\n*(u8 *)(r3 + 0) = 1\nexit", DiagCode.RunBadAccess)]
    [InlineData("call sub\nexit\nsub: r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 - 4)\nexit", DiagCode.None)]
    [InlineData("call sub\nexit\nsub: r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 + 504)\nexit", DiagCode.None)]
    [InlineData("call sub\nexit\nsub: r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 + 505)\nexit", DiagCode.RunBadAccess)]
    [InlineData("call sub\nexit\nsub: r3 = r10\nr3 += r2\nr0 = *(u64 *)(r3 - 516)\nexit", DiagCode.RunBadAccess)]
    public void Run_FrameAtAVariableDistance_IsTheSameInEachEngine(string text, DiagCode expected)
    {
        using var machine = Machine(text);
        Engines.IsCompiled(machine).Should().BeTrue();
        (Engines.Run(machine, []).Fault?.Code ?? DiagCode.None).Should().Be(expected);
    }

    // Native code that reached the frame of a caller's caller took all frames for the region last used, and they stayed
    // so when their functions had returned.
    [Fact]
    public void Run_FrameOfAFunctionThatHasReturned_IsNotReached()
    {
        using var machine = Machine(
            "call outer\nr0 = *(u64 *)(r0 - 8)\nexit\nouter: call inner\nr0 = r10\nexit\n"
            + "inner: r0 = r10\nr0 += r3\n*(u64 *)(r0 + 0) = 1\nexit");
        Engines.IsCompiled(machine).Should().BeTrue();
        Engines.Run(machine, []).Fault!.Should().BeEquivalentTo(new { Code = DiagCode.RunBadAccess, InsnIdx = 1 });
    }

    [Fact]
    public void Run_OfAnyLength_IsCompiled()
    {
        // A long program of loads, stores and branches: more than one method of the host would be optimised for.
        var lines = Enumerable.Range(0, 3000).Select(i => (i % 5) switch
        {
            0 => $"r0 += {i}",
            1 => $"*(u64 *)(r1 + {i % 64 * 8}) = r0",
            2 => $"r2 = *(u64 *)(r1 + {i * 7 % 64 * 8})",
            3 => "if r2 > r0 goto +1",
            _ => "r0 ^= r2",
        });
        using var machine = Machine(string.Join('\n', lines) + "\nexit");
        Engines.IsCompiled(machine).Should().BeTrue();
        Engines.Run(machine, new byte[512]).IsOk.Should().BeTrue();
    }

    private static Interpreter Machine(string text) =>
        Interpreter.ForRaw([.. TextAssembler.Assemble(text).Insns]);
}
