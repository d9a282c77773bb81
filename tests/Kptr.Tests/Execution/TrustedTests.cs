using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Tests.Execution;

/// <summary>Which checks trusted code leaves out, and where it does not.</summary>
public class TrustedTests
{
    private const string Lookup = """
        *(u32 *)(r10 - 4) = 1
        r1 = {0} ll
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto out
        {1}
        out:
        r0 = 0
        exit
        """;

    /// <summary>A program, how many of its accesses need no check, and why.</summary>
    public static TheoryData<string, int, string> Programs { get; } = new()
    {
        {
            "r2 = *(u64 *)(r1 + 0)\nr2 &= 7\nr3 = r10\nr3 += r2\n*(u8 *)(r3 - 8) = 1\nr0 = 0\nexit", 2,
            "context and frame"
        },
        { "r2 = 7\n*(u64 *)(r1 + 0) = r2\nr0 = 0\nexit", 0, "a context may be read only" },
        {
            "r1 = r10\nr1 += -8\n*(u64 *)(r1 + 0) = 1\ncall fn_sub\nexit\nfn_sub:\nr0 = *(u64 *)(r1 + 0)\nexit", 1,
            "a caller's frame is not the function's own"
        },
        { Of("plain_array", "r1 = *(u64 *)(r0 + 56)"), 2, "a value of an array" },
        { Of("plain_percpu", "r1 = *(u64 *)(r0 + 56)"), 2, "a value of an array for each CPU" },
        { Of("plain_hash", "r1 = *(u64 *)(r0 + 56)\n*(u64 *)(r0 + 0) = 1"), 3, "a value of a hash" },
        { Of("plain_lru", "lock *(u64 *)(r0 + 8) += r0"), 2, "a value of a hash that evicts" },
        {
            Of("plain_array", "r1 = *(u64 *)(r0 + 8)\nr1 &= 31\nr0 += r1\nr1 = *(u64 *)(r0 + 8)"), 3,
            "a variable index"
        },
        {
            Lookup.Replace("r0 = 0\nexit", "exit").Replace("{0}", "plain_array").Replace(
                "{1}", "r6 = r10\nr6 += -8\n*(u64 *)(r10 - 8) = 0\nr1 = *(u64 *)(r0 + 0)\nif r1 == 0 goto one\n"
                    + "r6 = r0\none:\nr0 = *(u64 *)(r6 + 0)\nr0 = 0"), 3,
            "of two places neither"
        },
    };

    [Theory, MemberData(nameof(Programs))]
    public void Accesses_ThatAreProven_NeedNoCheck(string text, int expected, string because)
    {
        using var rig = new Rig(text);

        rig.NeedlessChecks.Should().Be(expected, because);
        rig.Run(ExecEngine.Trusted).Should().Be(rig.Run(ExecEngine.Interpreter));
    }

    // The number is what somebody else hands to the program, and he may be wrong.
    [Theory]
    [InlineData(
        "r3 = r1\nr1 = r10\nr1 += -16\nr2 = 8\ncall bpf_probe_read_kernel_str\nif r0 s< 0 goto out\n"
            + "r1 = r10\nr1 += r0\n*(u8 *)(r1 - 16) = 1\nout:\nr0 = 0\nexit")]
    public void Bounds_ThatRestOnOthers_AreNotBelieved(string text)
    {
        using var rig = new Rig(text, "linux-7.2");

        rig.Program.Verified.Proof.Refusal.Should().NotBeNull();
        rig.Program.Verified.Proof.ToString().Should().StartWith("nothing proven: ");
        rig.NeedlessChecks.Should().Be(0);
        rig.Run(ExecEngine.Trusted).Fault.Should().BeNull();
    }

    [Fact]
    public void Context_ShorterThanWhatIsReadOfIt_IsAFaultAsEver()
    {
        using var rig = new Rig("r0 = *(u64 *)(r1 + 64)\nexit");

        rig.NeedlessChecks.Should().Be(1);
        rig.Program.TestRun(new byte[72], new() { Engine = ExecEngine.Trusted }).Fault.Should().BeNull();
        var fault = rig.Program.TestRun(new byte[64], new() { Engine = ExecEngine.Trusted }).Fault;
        fault!.Code.Should().Be(DiagCode.RunBadAccess);
    }

    [Theory]
    [InlineData("r0 = 0\ntop:\nr0 += 1\nif r0 < 1000 goto top\nexit")]
    [InlineData("r0 = 0\ntop:\nr0 += 1\nmay_goto out\ngoto top\nout:\nexit")]
    public void Run_WithFuelOfItsOwn_PaysForLoops(string text)
    {
        using var rig = new Rig(text);
        rig.NeedlessChecks.Should().Be(0);

        rig.Run(ExecEngine.Trusted).Fault.Should().BeNull();
        rig.Program.TestRun(new byte[8], new() { Engine = ExecEngine.Trusted, Fuel = 500 }).Fault!.Code
            .Should().Be(DiagCode.RunOutOfFuel);
    }

    [Fact]
    public void Run_ThatCanBeCancelled_IsSoon()
    {
        using var rig = new Rig("r0 = 0\ntop:\nr0 += 1\nmay_goto out\ngoto top\nout:\nexit");
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();

        var options = new ExecOptions { Engine = ExecEngine.Trusted, Cancellation = cancelled.Token };
        rig.Program.TestRun(new byte[8], options).Fault!.Code.Should().Be(DiagCode.RunCancelled);
    }

    // A function that may go round without end each time it is called: whoever calls it in a loop pays.
    [Theory]
    [InlineData("r0 = 0\ntop:\nr0 += 1\nif r0 < 9 goto top\nexit", true)]
    [InlineData("r6 = 0\ntop:\ncall fn_sub\nr6 += 1\nif r6 < 9 goto top\nr0 = 0\nexit\nfn_sub:\nr0 = 0\nexit", true)]
    [InlineData(
        "r6 = 0\ntop:\ncall fn_sub\nr6 += 1\nif r6 < 9 goto top\nr0 = 0\nexit\nfn_sub:\nr0 = 0\nmay_goto +0\nexit",
        false)]
    [InlineData("r0 = 0\ntop:\nr0 += 1\nmay_goto out\ngoto top\nout:\nexit", true)]
    public void Loop_WhoseRoundsWereExplored_IsFree(string text, bool isFree)
    {
        using var rig = new Rig(text, "linux-7.2");
        var code = rig.Program.Interpreter.Code;
        var layout = ProgLayout.Find(code, -1, isRaw: false)!;
        var loops = new FreeLoops(layout.Funcs[0], layout, code, rig.Needless!);

        var back = layout.Funcs[0].Slots.Single(s => code.TargetOf(s) <= s && !code.Insns[s].IsLocalCall);
        loops.IsFree(back).Should().Be(isFree);
    }

    [Fact]
    public void Kernel_WithAFaultPlan_ChecksEverything()
    {
        using var rig = new Rig(Of("plain_array", "r1 = *(u64 *)(r0 + 0)"), plan: new FaultPlan());

        rig.Program.Interpreter.TrustedFor(ulong.MaxValue).Should().BeNull();
        rig.Run(ExecEngine.Trusted).Should().Be(rig.Run(ExecEngine.Jit));
    }

    // Its body may write over what the program keeps in its stack.
    [Fact]
    public void Program_ThatCallsABodyOfTheUsers_ChecksEverything()
    {
        const string text = "call bpf_rcu_read_lock\ncall bpf_rcu_read_unlock\n*(u64 *)(r10 - 8) = 1\nr0 = 0\nexit";
        using var ours = new Rig(text);
        ours.Program.Interpreter.TrustedFor(ulong.MaxValue).Should().NotBeNull();

        using var theirs = new Rig(text, kfuncs: KfuncRegistry.Builtin.Around("bpf_rcu_read_lock", b => b));
        theirs.Program.Interpreter.TrustedFor(ulong.MaxValue).Should().NotBeNull("nothing is around it");
        using var around = new Rig(text, kfuncs: KfuncRegistry.Builtin.Around(
            "bpf_rcu_read_lock", body => (ctx, a, b, c, d, e) => body(ctx, a, b, c, d, e)));
        around.Program.Interpreter.TrustedFor(ulong.MaxValue).Should().BeNull();
        around.Run(ExecEngine.Trusted).Fault.Should().BeNull();
    }

    [Fact]
    public void Proof_JoinsPaths_AndSaysNothingOfTwoPlaces()
    {
        var map = new MapSpec("m", BpfMapType.Array) { KeySize = 4, ValueSize = 8, MaxEntries = 1 };
        var low = new ProvenAccess(AccessPlace.MapValue, 0, 4, map);
        var high = new ProvenAccess(AccessPlace.MapValue, 4, 8, map);
        var other = new ProvenAccess(AccessPlace.MapValue, 0, 4, map with { Name = "n" });
        var anywhere = new ProvenAccess(AccessPlace.Anywhere);

        low.Join(high).Should().Be(high.Join(low)).And.Be(new ProvenAccess(AccessPlace.MapValue, 0, 8, map));
        low.Join(default).Should().Be(low);
        low.Join(other).Should().Be(anywhere);
        anywhere.Join(low).Should().Be(anywhere);
        low.Join(new(AccessPlace.Context, 0, 4)).Should().Be(anywhere);
    }

    private static string Of(string map, string use) =>
        Lookup.Replace("{0}", map, StringComparison.Ordinal).Replace("{1}", use, StringComparison.Ordinal);

    /// <summary>A program that is loaded, on the maps of generated programs.</summary>
    private sealed class Rig : IDisposable
    {
        private readonly KernelModel _kernel;
        private readonly ImmutableArray<BpfMap?> _maps;

        internal Rig(
            string text, string profile = "linux-6.12", FaultPlan? plan = null, KfuncRegistry? kfuncs = null)
        {
            _kernel = new KernelModel(new()
            {
                Profile = KernelProfile.Find(profile)!, FaultPlan = plan, Driver = DeferredDriver.Manual,
                Kfuncs = kfuncs ?? KfuncRegistry.Builtin,
            });
            var linked = new GeneratedProgram("syscall", [.. text.Split('\n')]).TryLink(_kernel.Spec, new DiagSink())!;
            var result = BpfVerifier.Verify(linked, _kernel.Spec);
            result.Message.Should().BeEmpty();
            var verified = result.Program!;
            _maps = [.. linked.Maps.Select(m => MapFactory.Create(_kernel, m))];
            Program = new BpfProgram(_kernel, verified, _maps);
            Needless = ProvenLife.Find(verified, verified.Spec, _maps);
        }

        internal BpfProgram Program { get; }

        internal NeedlessChecks? Needless { get; }

        /// <summary>Accesses that trusted code does not check.</summary>
        internal int NeedlessChecks => Needless?.Live.Count(l => l) ?? 0;

        internal ProgramResult Run(ExecEngine engine) => Program.TestRun(new byte[128], new() { Engine = engine });

        public void Dispose()
        {
            Program.Unload();
            foreach (var map in _maps)
            {
                map?.Dispose();
            }

            _kernel.Dispose();
        }
    }
}
