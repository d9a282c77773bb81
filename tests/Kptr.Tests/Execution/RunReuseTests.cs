using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Soundness;
using Kptr.Verifier;

namespace Kptr.Tests.Execution;

/// <summary>What one run leaves to the next: machines and contexts, and nothing of what was in them.</summary>
public sealed class RunReuseTests : IDisposable
{
    private const string Counts = """
        *(u32 *)(r10 - 4) = 1
        r1 = plain_array ll
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        lock *(u64 *)(r0 + 8) += r0
        out:
        call bpf_ktime_get_ns
        r0 = 0
        exit
        """;

    private readonly KernelModel _kernel = new(new()
    {
        Driver = DeferredDriver.Manual, Kfuncs = KfuncRegistry.Builtin.With(typeof(KeepKfuncs)),
    });

    private readonly List<BpfProgram> _programs = [];
    private readonly List<BpfMap?> _maps = [];

    public void Dispose()
    {
        _programs.ForEach(p => p.Unload());
        _maps.ForEach(m => m?.Dispose());
        _kernel.Dispose();
    }

    [Theory]
    [InlineData(ExecEngine.Interpreter)]
    [InlineData(ExecEngine.Jit)]
    [InlineData(ExecEngine.Trusted)]
    public void Run_OfAProgramThatMakesNothing_AllocatesNothing(ExecEngine engine)
    {
        var program = Load(Counts);
        var options = new ExecOptions { Engine = engine };
        ulong[] args = [1, 2];    // where they stand, they are found by a handle that is allocated
        long allocated = -1;

        // The host may allocate for itself while it compiles what runs often: not in all of many turns.
        for (var turn = 0; turn < 50 && allocated != 0; turn++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 20; i++)
            {
                program.RunWithArgs(args, options);
            }

            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        allocated.Should().Be(0);
    }

    [Fact]
    public void Kernel_ThatIsGone_IsNotKeptByTheThreadsThatRanInIt()
    {
        var kernel = RunInAnother();
        for (var i = 0; i < 10 && kernel.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        kernel.IsAlive.Should().BeFalse();
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static WeakReference RunInAnother()
    {
        using var other = new RunReuseTests();
        other.Load(Counts).RunWithArgs([1, 2], new() { Engine = ExecEngine.Interpreter });
        return new(other._kernel);
    }

    [Theory]
    [InlineData(ExecEngine.Interpreter)]
    [InlineData(ExecEngine.Jit)]
    public void Context_ThatAKfuncOfTheUsersKept_StandsForItsRunAlone(ExecEngine engine)
    {
        var program = Load("*(u64 *)(r10 - 8) = 7\nr1 = r10\nr1 += -8\ncall keep_it\nr0 = 0\nexit");
        var options = new ExecOptions { Engine = engine };

        program.RunWithArgs([1], options);
        program.RunWithArgs([1], options);

        var kept = KeepKfuncs.In(_kernel);
        kept.Select(k => k.Ctx).Should().OnlyHaveUniqueItems();
        kept.Select(k => k.Ctx.RunId).Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
        kept.Should().AllSatisfy(k => k.Ctx.IsActive.Should().BeFalse());
        var late = () => kept[0].Ctx.Read<ulong>(kept[0].Address);
        late.Should().Throw<ProgramFaultException>("the stack is another run's by now");
    }

    // Native code saves for a call what was written since the last one.
    [Fact]
    public void Registers_WhileACallLooks_AreTheSameInEachEngine()
    {
        var program = Load("""
            r7 = r1
            r6 = 1000
            r1 = 1000
            call look_at
            r1 = 1000
            r6 = 2000
            call look_at
            r8 = 0
            top: r9 = r8
            r9 += 5000
            r1 = 5001
            call look_at
            if r8 == 1 goto over
            r6 = 3000
            over: r1 = 3000
            call look_at
            r1 = 2000
            call look_at
            r8 += 1
            if r8 < 3 goto top
            r0 = 0
            exit
            """);
        var seen = KeepKfuncs.LookedIn(_kernel);
        program.RunWithArgs([1], new() { Engine = ExecEngine.Interpreter }).Fault.Should().BeNull();
        var interpreted = seen.ToArray();
        seen.Clear();
        program.RunWithArgs([1], new() { Engine = ExecEngine.Jit }).Fault.Should().BeNull();

        seen.Should().Equal(interpreted).And.Contain("r6").And.Contain("r9").And.Contain("r1");
    }

    [Fact]
    public void Run_InsideOfARun_HasAContextAndAMachineOfItsOwn()
    {
        var outer = Load("r6 = 41\ncall raise_inner\nr6 += 1\nr0 = r6\nexit");
        var inner = Load("r6 = 1\n*(u64 *)(r10 - 8) = 5\ncall bpf_ktime_get_ns\nr0 = 0\nexit");
        KeepKfuncs.In(_kernel).Add(new(null!, 0, inner));

        for (var i = 0; i < 3; i++)
        {
            outer.RunWithArgs(1).ReturnValue.Should().Be(42);
        }

        inner.RunCount.Should().Be(3);
        _kernel.Faults.Should().BeEmpty();
    }

    [Theory]
    [InlineData(ExecEngine.Interpreter)]
    [InlineData(ExecEngine.Jit)]
    public void Stack_OfTheNextRun_IsZeroWhateverRanBefore(ExecEngine engine)
    {
        var writer = Load("*(u64 *)(r10 - 512) = 1\n*(u64 *)(r10 - 8) = 1\nr0 = 0\nexit");
        var none = Load("r0 = 3\nexit");
        var reader = Load("r0 = *(u64 *)(r10 - 512)\nr1 = *(u64 *)(r10 - 8)\nr0 |= r1\nexit");
        var options = new ExecOptions { Engine = engine };
        foreach (var between in (BpfProgram[][])[[], [none], [none, none]])
        {
            writer.RunWithArgs([], options).ReturnValue.Should().Be(0);
            foreach (var other in between)
            {
                other.RunWithArgs([], options).ReturnValue.Should().Be(3);
            }

            reader.RunWithArgs([], options).Should().Be(new ProgramResult(0, null));
        }
    }

    [Theory]
    [InlineData(ExecEngine.Interpreter)]
    [InlineData(ExecEngine.Jit)]
    public void Stack_OfRawInstructions_IsZeroInEachRun(ExecEngine engine)
    {
        using var raw = Interpreter.ForRaw(TextAssembler.Assemble(
            "r0 = *(u64 *)(r10 - 512)\n*(u64 *)(r10 - 512) = 1\nexit").Insns);
        for (var i = 0; i < 3; i++)
        {
            raw.Run([], new() { Engine = engine }).Should().Be(new ExecResult(0, null));
        }
    }

    private BpfProgram Load(string text)
    {
        var linked = new GeneratedProgram("syscall", [.. text.Split('\n')]).TryLink(_kernel.Spec, new DiagSink())!;
        var result = BpfVerifier.Verify(linked, _kernel.Spec);
        result.Message.Should().BeEmpty();
        ImmutableArray<BpfMap?> maps = [.. linked.Maps.Select(m => MapFactory.Create(_kernel, m))];
        _maps.AddRange(maps);
        _programs.Add(new BpfProgram(_kernel, result.Program!, maps));
        return _programs[^1];
    }

    internal sealed record Kept(ProgContext Ctx, ulong Address, BpfProgram? Inner = null);

    internal static class KeepKfuncs
    {
        [Kfunc("keep_it", Prototype = "void keep_it(long *at)")]
        internal static void Keep(ProgContext ctx, ulong at)
        {
            ctx.Read<ulong>(at).Should().Be(7);
            In(ctx.Core).Add(new(ctx, at));
        }

        [Kfunc("raise_inner", Prototype = "void raise_inner(void)")]
        internal static void Raise(KernelCore kernel) => In(kernel)[0].Inner!.RunWithArgs(1);

        [Kfunc("look_at", Prototype = "void look_at(long value)")]
        internal static void LookAt(ProgContext ctx, ulong value) =>
            LookedIn(ctx.Core).Add(((IProgramRun)ctx).Locate(value) ?? "nowhere");

        internal static List<string> LookedIn(KernelCore kernel) => kernel.Single(static _ => new List<string>());

        internal static List<Kept> In(KernelCore kernel) => kernel.Single(static _ => new List<Kept>());
    }
}
