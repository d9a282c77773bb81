using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Objects;

namespace Kptr.Tests.Execution;

/// <summary>Programs that call into a kernel and are called back by it.</summary>
public abstract class LinkedRunTests : IDisposable
{
    private const int Repeat = 1;
    private const int Give = 2;
    private const int Free = 3;
    private const int Locate = 4;
    private const int Tail = 5;
    private const int Later = 6;
    private const int Throw = 7;

    private readonly KernelCore _core = new(TestKernel.Spec, new() { Driver = DeferredDriver.Manual });
    private readonly Links _links = new();

    private readonly ExecOptions _options;

    protected LinkedRunTests(ExecEngine engine)
    {
        _options = new() { Fuel = 1_000_000, Engine = engine };
        _links.Bodies[Repeat] = (ctx, func, times, arg, _, _) =>
        {
            ulong sum = 0;
            for (ulong i = 0; i < times; i++)
            {
                sum += ctx.Callbacks.Call(func, i, arg);
            }

            return sum;
        };
    }

    public void Dispose()
    {
        _core.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Call_Callback_KeepsTheCallersRegistersAndReachesItsStack()
    {
        var result = Run("""
            r6 = 1000
            *(u64 *)(r10 - 8) = 0
            r1 = each ll
            r2 = 5
            r3 = r10
            r3 += -8
            call 1
            r1 = *(u64 *)(r10 - 8)
            r0 += r1
            r0 += r6
            exit
            each:
            r3 = *(u64 *)(r2 + 0)
            r3 += 100
            *(u64 *)(r2 + 0) = r3
            r6 = 0
            r0 = r1
            exit
            """);
        result.Should().Be(new ExecResult(10 + 500 + 1000, null)); // 0+1+2+3+4, five times 100, r6
    }

    [Fact]
    public void Call_CallbackFaults_EndsTheWholeRunAtItsInstruction()
    {
        var result = Run("""
            r1 = each ll
            r2 = 5
            call 1
            exit
            each:
            r0 = *(u64 *)(r1 + 0)
            exit
            """);
        (result.Fault!.Code, result.Fault.InsnIdx).Should().Be((DiagCode.RunBadAccess, 5));
    }

    [Fact]
    public void Call_CallbacksInCallbacks_StopAtEightFrames()
    {
        var result = Run("""
            r1 = each ll
            r2 = 1
            call 1
            exit
            each:
            r1 = each ll
            r2 = 1
            call 1
            exit
            """);
        result.Fault!.Code.Should().Be(DiagCode.RunCallTooDeep);
    }

    [Fact]
    public void Call_NoFunctionOfTheProgram_IsAFault() =>
        Run("r1 = 4096\nr2 = 1\ncall 1\nexit").Fault!.Code.Should().Be(DiagCode.RunNoSuchCall);

    [Fact]
    public void Throw_InACallback_EndsTheProgramWithTheCookie()
    {
        var result = Run("""
            r1 = each ll
            r2 = 5
            call 1
            r0 = 1
            exit
            each:
            r1 = 77
            call 7
            exit
            """);
        result.Should().Be(new ExecResult(77, null));
    }

    [Fact]
    public void Access_KernelMemory_HoldsUntilItIsFreed()
    {
        var address = GiveMemory();
        const string Use = """
            call 2
            r6 = r0
            *(u64 *)(r6 + 8) = 41
            r7 = *(u64 *)(r6 + 8)
            r1 = r6
            call 3
            r0 = *(u64 *)(r6 + 8)
            r0 += r7
            exit
            """;
        var fault = Run(Use).Fault!;
        (fault.Code, fault.InsnIdx, fault.Address).Should().Be((DiagCode.RunUseAfterFree, 6, address + 8));

        // The verifier says of such a load that its pointer may be stale: then it reads zero.
        GiveMemory();
        Run(Use, probed: 6).Should().Be(new ExecResult(41, null));
    }

    [Fact]
    public void Access_PastTheObject_IsAFault()
    {
        var address = GiveMemory();
        var fault = Run("call 2\nr0 = *(u32 *)(r0 + 30)\nexit").Fault!;
        (fault.Code, fault.Address).Should().Be((DiagCode.RunBadAccess, address + 30));
    }

    [Fact]
    public unsafe void Access_ReadOnlyContext_ReadsAndDoesNotWrite()
    {
        var words = stackalloc ulong[2] { 5, 6 };
        var context = new Region((ulong)words, 16, IsWritable: false);
        Run("r0 = *(u64 *)(r1 + 8)\nexit", context: context).R0.Should().Be(6);
        Run("r0 = *(u64 *)(r1 + 8)\n*(u64 *)(r1 + 8) = 1\nexit", context: context).Fault!.Code.Should().Be(
            DiagCode.RunBadAccess);
        words[1].Should().Be(6);
    }

    [Theory]
    [InlineData(BpfMapType.Array)]
    [InlineData(BpfMapType.Hash)]
    [InlineData(BpfMapType.PercpuArray)]
    public void Access_MapValue_EndsWithTheValue(BpfMapType type)
    {
        using var map = NewMap(type, MapFlags.None);
        var value = new Region(map.ProgLookup(BitConverter.GetBytes(1), 0), 0, IsWritable: false);
        Run("*(u32 *)(r1 + 16) = 7\nr0 = *(u32 *)(r1 + 16)\nexit", context: value).R0.Should().Be(7);
        foreach (var outside in (string[])[
            "r0 = *(u32 *)(r1 + 20)", "r0 = *(u64 *)(r1 + 16)", "*(u32 *)(r1 + 20) = 1", "*(u32 *)(r1 - 4) = 1",
        ])
        {
            // Once as the first access, once after one that made the value the region last used.
            Run($"{outside}\nr0 = 0\nexit", context: value).Fault!.Code.Should().Be(DiagCode.RunBadAccess, outside);
            Run($"r0 = *(u64 *)(r1 + 8)\n{outside}\nr0 = 0\nexit", context: value).Fault!.Code.Should().Be(
                DiagCode.RunBadAccess, outside);
        }
    }

    [Fact]
    public void Access_ReadOnlyMap_ReadsAndDoesNotWrite()
    {
        using var map = NewMap(BpfMapType.Array, MapFlags.RdOnlyProg);
        var value = new Region(map.ProgLookup(BitConverter.GetBytes(1), 0), 0, IsWritable: false);
        Run("r0 = *(u64 *)(r1 + 8)\nexit", context: value).R0.Should().Be(0x101010101010101);
        Run("*(u64 *)(r1 + 8) = 1\nr0 = 0\nexit", context: value).Fault!.Code.Should().Be(DiagCode.RunBadAccess);
    }

    [Theory]
    [InlineData(BpfMapType.Array, 0 + 1 + 2 + 3)]
    [InlineData(BpfMapType.Hash, 0 + 1 + 2)]
    public void Access_KeyInACallback_IsTheProgramsToRead(BpfMapType type, ulong sum)
    {
        using var map = NewMap(type, MapFlags.None);
        _links.Bodies[Repeat] = (ctx, func, total, _, _, _) =>
            (ulong)map.ForEachElem((key, value) => ctx.Callbacks.Call(func, key, value, total), 0, 0);
        const string Each =
            "*(u64 *)(r10 - 8) = 0\nr1 = each ll\nr2 = r10\nr2 += -8\ncall 1\nr0 = *(u64 *)(r10 - 8)\nexit\neach:\n";
        Run(Each + "r4 = *(u32 *)(r1 + 0)\nr5 = *(u64 *)(r3 + 0)\nr5 += r4\n*(u64 *)(r3 + 0) = r5\nr0 = 0\nexit").R0
            .Should()
            .Be(sum);
    }

    [Fact]
    public void Locate_RegisterOrStack_NamesThePlace()
    {
        var places = new List<string?>();
        _links.Bodies[Locate] = (ctx, value, _, _, _, _) =>
        {
            places.Add(ctx.Callbacks.Locate(value));
            return 0;
        };
        Run("""
            r7 = 12345
            r1 = r7
            call 4
            *(u64 *)(r10 - 16) = 54321
            r1 = 54321
            call sub
            exit
            sub:
            r2 = 0
            call 4
            exit
            """);
        places.Should().Equal("r7", "r1");
    }

    [Fact]
    public void TailCall_FromASubprogram_TakesThePlaceOfItsFrame()
    {
        using var target = Interpreter.ForLinked(Prog("r0 = 40\nexit"), _links);
        _links.Targets["next"] = target;
        _links.Bodies[Tail] = (ctx, _, _, _, _, _) =>
        {
            ctx.Callbacks.TailCall("next");
            return unchecked((ulong)-2L);
        };
        Run("call 5\nr0 = 1\nexit").R0.Should().Be(40);
        Run("call sub\nr0 += 2\nexit\nsub: call 5\nr0 = 1\nexit").R0.Should().Be(42);
    }

    [Fact]
    public void TailCall_ToAProgramThatThrows_EndsThatProgram_AndNobodyWhoCalledIt()
    {
        using var target = Interpreter.ForLinked(
            Prog("call sub\nr0 = 1\nexit\nsub: r6 = 3\nr1 = 40\ncall 7\nexit"), _links);
        _links.Targets["next"] = target;
        _links.Bodies[Tail] = (ctx, _, _, _, _, _) =>
        {
            ctx.Callbacks.TailCall("next");
            return 0;
        };
        Run("call 5\nr0 = 1\nexit").R0.Should().Be(40);
        Run("r6 = 2\ncall sub\nr0 += r6\nexit\nsub: call 5\nr0 = 1\nexit").R0.Should().Be(42);
    }

    [Fact]
    public void TailCall_ToItself_EndsAfter33()
    {
        ulong entered = 0;
        Interpreter? self = null;
        _links.Bodies[Tail] = (ctx, _, _, _, _, _) =>
        {
            entered++;
            ctx.Callbacks.TailCall("self");
            return 7;
        };
        using (self = Interpreter.ForLinked(Prog("call 5\nexit"), _links))
        {
            _links.Targets["self"] = self;
            self.Run(new ProgContext(_core, self.Prog), default, _options).R0.Should().Be(7);
        }

        entered.Should().Be(34);
    }

    [Fact]
    public void Defer_AfterTheRun_RunsTheCallbackAsARunOfItsOwn()
    {
        Func<ulong, ulong, ulong, ulong>? later = null;
        _links.Bodies[Later] = (ctx, func, _, _, _, _) =>
        {
            later = ctx.Callbacks.Defer(func);
            return 0;
        };
        Run("r1 = cb ll\ncall 6\nexit\ncb: r0 = r1\nr0 *= r2\nr0 += r3\nif r0 != 7 goto +1\nr0 = "
            + "*(u64 *)(r1 + 0)\nexit").IsOk
            .Should()
            .BeTrue();
        later!(6, 7, 8).Should().Be(50);
        _core.Faults.Should().BeEmpty();
        later(1, 7, 0).Should().Be(0);
        _core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.RunBadAccess);
    }

    [Fact]
    public void Call_BodyThrows_IsAFaultOfTheRun()
    {
        _links.Bodies[Give] = (_, _, _, _, _, _) => throw new ArithmeticException("no");
        _links.Bodies[Free] = (_, _, _, _, _, _) => throw new ProgramFaultException(
            DiagCode.CallBadObject, "no object");
        Run("call 2\nexit").Fault!.Code.Should().Be(DiagCode.RunCallFailed);
        Run("call 3\nexit").Fault!.Code.Should().Be(DiagCode.CallBadObject);
        _links.Bodies[Free] = (ctx, address, _, _, _, _) => ctx.PacketAt(address).ContextAddress;
        Run("r1 = 16\ncall 3\nexit").Fault!.Code.Should().Be(DiagCode.CallNotModelled);
        _links.Bodies[Free] = (ctx, address, _, _, _, _) => ctx.Read<uint>(address);
        Run("r1 = 16\ncall 3\nexit").Fault!.Code.Should().Be(DiagCode.CallBadMemory);
        Run("call 99\nexit").Fault!.Code.Should().Be(DiagCode.RunNoSuchCall);
    }

    private BpfMap NewMap(BpfMapType type, MapFlags flags)
    {
        var map = MapFactory.Create(
            _core, new("m", type) { KeySize = 4, ValueSize = 20, MaxEntries = 4, Flags = flags });
        var value = new byte[map.UserValueSize];
        Array.Fill(value, (byte)1);
        for (var key = 0; key < 3; key++)
        {
            map.UpdateElem(BitConverter.GetBytes(key), value).Should().Be(Errno.None);
        }

        return map;
    }

    private ulong GiveMemory()
    {
        var address = _core.Heap.AllocateBlock("test", 32);
        _links.Bodies[Give] = (_, _, _, _, _, _) => address;
        _links.Bodies[Free] = (_, at, _, _, _, _) => _core.Heap.TryFree(at) ? 0UL : 1;
        return address;
    }

    private static ProgSpec Prog(string text) => new("test", ProgType.Syscall, TextAssembler.Assemble(text).Insns);

    private ExecResult Run(string text, int probed = -1, Region context = default)
    {
        var prog = Prog(text);
        var loads = probed < 0
            ? ImmutableArray<bool>.Empty
            : [.. Enumerable.Range(0, prog.Insns.Length).Select(i => i == probed)];
        using var machine = Interpreter.ForLinked(prog, _links, loads);
        return machine.Run(new ProgContext(_core, prog), context, _options);
    }

    private sealed class Links : IProgLinks
    {
        internal Dictionary<int, CallThunk> Bodies { get; } = [];

        internal Dictionary<string, Interpreter> Targets { get; } = [];

        public ulong AddressOf(BpfInsn first, BpfInsn second) => 0;

        public CallThunk? Helper(int id) => Bodies.TryGetValue(id, out var body)
            ? new CallThunk((ctx, a, b, c, d, e) => Bodies[id](ctx, a, b, c, d, e))
            : null;

        public CallThunk? Kfunc(BpfInsn call) => null;

        public string NameOf(BpfInsn call) => $"call {call.Imm}";

        public bool IsTailCall(BpfInsn call) => call.Src == 0 && call.Imm == Tail;

        public bool IsThrow(BpfInsn call) => call.Src == 0 && call.Imm == Throw;

        public Interpreter? TailTarget(object target) => Targets.GetValueOrDefault((string)target);
    }
}

/// <summary>In the interpreter.</summary>
public sealed class InterpretedLinkedRunTests() : LinkedRunTests(ExecEngine.Interpreter);

/// <summary>As native code.</summary>
public sealed class CompiledLinkedRunTests() : LinkedRunTests(ExecEngine.Jit);
