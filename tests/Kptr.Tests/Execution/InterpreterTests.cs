using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Execution;

public class InterpreterTests
{
    [Fact]
    public void Run_GoldenPrograms_EndAsWritten()
    {
        var programs = GoldenProgram.ReadAll(TestData.Path("isa", "programs.txt")).ToList();
        programs.Should().HaveCountGreaterThanOrEqualTo(40);
        foreach (var program in programs)
        {
            program.Check();
        }
    }

    [Fact]
    public void Run_GoldenArithmetic_ComputesTheResult()
    {
        foreach (var (text, dst, src, result) in Rows("alu.txt"))
        {
            BpfInsn[] code = [
                .. LdImm64(R1, dst), .. LdImm64(R2, src), .. TextAssembler.Assemble(text).Insns, Mov(R0, R1), Exit(),
            ];
            RunRaw(code).R0.Should().Be(result, "of {0} with {1:x} and {2:x}", text, dst, src);
        }
    }

    [Fact]
    public void Run_GoldenJumps_AreTakenOrNot()
    {
        foreach (var (text, dst, src, result) in Rows("jump.txt"))
        {
            BpfInsn[] code =
            [
                .. LdImm64(R1, dst), .. LdImm64(R2, src), Mov(R0, 1),
                .. TextAssembler.Assemble($"if {text} goto +1").Insns, Mov(R0, 0), Exit(),
            ];
            RunRaw(code).R0.Should().Be(result, "of {0} with {1:x} and {2:x}", text, dst, src);
        }
    }

    [Theory]
    [MemberData(nameof(Engines.All), MemberType = typeof(Engines))]
    public void Run_Cancelled_EndsWithAFault(ExecEngine engine)
    {
        using var source = new CancellationTokenSource();
        using var machine = Interpreter.ForRaw([Call(1), Ja(-2)], new Dictionary<int, RawHelper>
        {
            [1] = (_, _, _, _, _) =>
            {
                source.Cancel();
                return 0;
            },
        });
        machine.Run([], new ExecOptions { Cancellation = source.Token, Engine = engine }).Fault!.Code.Should().Be(
            DiagCode.RunCancelled);
    }

    [Fact]
    public void Run_ManyThreads_HaveTheirOwnMachines()
    {
        using var machine = Interpreter.ForRaw([.. TextAssembler.Assemble("""
            r2 = *(u64 *)(r1 + 0)
            r3 = 0
            top: *(u64 *)(r10 - 8) = r3
            r3 += 1
            r4 = *(u64 *)(r10 - 8)
            if r3 < r2 goto top
            r0 = r4
            exit
            """).Insns]);
        var results = Enumerable.Range(1, 64).AsParallel().WithDegreeOfParallelism(8)
            .Select(n => (n, Engines.Run(machine, BitConverter.GetBytes((ulong)n * 1000)).R0)).ToList();
        results.Should().OnlyContain(r => r.R0 == ((ulong)r.n * 1000) - 1);
    }

    [Fact]
    public void Run_AfterAFault_StartsAfresh()
    {
        using var machine = Interpreter.ForRaw([.. TextAssembler.Assemble("""
            r0 = *(u64 *)(r10 - 8)
            *(u64 *)(r10 - 8) = 9
            call sub
            exit
            sub: r1 = *(u64 *)(r1 + 0)
            exit
            """).Insns]);
        Engines.Run(machine, []).Fault.Should().NotBeNull();
        Engines.Run(machine, new byte[8]).Should().Be(new ExecResult(0, null));
    }

    [Fact]
    public void Run_AfterDeepCalls_FindsEveryFrameZero()
    {
        using var machine = Interpreter.ForRaw([.. TextAssembler.Assemble("""
            *(u64 *)(r10 - 512) = 1
            call first
            exit
            first: *(u64 *)(r10 - 512) = 1
            call second
            exit
            second: r0 = *(u64 *)(r10 - 512)
            *(u64 *)(r10 - 512) = 1
            exit
            """).Insns]);
        Engines.Run(machine, []).R0.Should().Be(0);
        Engines.Run(machine, []).R0.Should().Be(0);
    }

    [Fact]
    public void MayGoto_FallsThroughAMillionsOfTimesInEachCallOfAFunction()
    {
        using var machine = Interpreter.ForRaw([.. TextAssembler.Assemble("""
            call counted
            r6 = r0
            call counted
            r6 += r0
            r7 = 0
            more: may_goto done
            r7 += 1
            goto more
            done: r0 = r6
            r0 += r7
            exit
            counted: r0 = 0
            again: may_goto end
            r0 += 1
            goto again
            end: exit
            """).Insns]);
        Engines.Run(machine, []).Should().Be(new ExecResult(3 * 8 * 1024 * 1024, null), "BPF_MAX_LOOPS a frame");
    }

    private static ExecResult RunRaw(IEnumerable<BpfInsn> code)
    {
        using var machine = Interpreter.ForRaw(code.ToImmutableArray());
        Engines.IsCompiled(machine).Should().BeTrue();
        return Engines.Run(machine, []);
    }

    private static IEnumerable<(string Text, ulong Dst, ulong Src, ulong Result)> Rows(string file) =>
        from line in File.ReadLines(TestData.Path("isa", file))
        where line[0] != '#'
        let cells = line.Split(" | ")
        select (cells[0], GoldenProgram.Number(cells[1]), GoldenProgram.Number(cells[2]),
            GoldenProgram.Number(cells[3]));
}
