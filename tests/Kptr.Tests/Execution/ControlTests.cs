using Kptr.Execution;
using Kptr.Objects;

namespace Kptr.Tests.Execution;

/// <summary>Accepted programs of <c>tests/data/run/control.bpf.c</c>: exceptions, deep calls and long loops.</summary>
public class ControlTests
{
    [Theory]
    [InlineData("throws_cookie", 33)]
    [InlineData("throws_in_subprog", 7)]
    [InlineData("throws_and_catches", 111)]
    [InlineData("does_not_throw", 1)]
    [InlineData("calls_deep", 15)]
    public void Run_Control_EndsWithItsValueInEachEngine(string program, int expected)
    {
        using var kernel = new KernelModel(new KernelModelOptions { Driver = DeferredDriver.Manual });
        using var obj = BpfObject.Open(TestData.Path("run", "control.bpf.o")).Load(kernel);

        foreach (var engine in (ExecEngine[])[ExecEngine.Interpreter, ExecEngine.Jit])
        {
            obj.Programs[program].TestRun(options: new() { Engine = engine }).Should().Be(
                new ProgramResult(expected, null), "in the {0}", engine);
        }
    }

    [Theory]
    [MemberData(nameof(Engines.All), MemberType = typeof(Engines))]
    public void Run_LongLoopOverAMap_LeavesWhatCSharpLeaves(ExecEngine engine)
    {
        using var kernel = new KernelModel(new KernelModelOptions { Driver = DeferredDriver.Manual });
        using var obj = BpfObject.Open(TestData.Path("run", "control.bpf.o")).Load(kernel);

        obj.Programs["mixes"].TestRun(options: new() { Engine = engine }).Should().Be(new ProgramResult(0, null));

        var table = new byte[64 * sizeof(ulong)];
        obj.Maps["table"].LookupElem(new byte[4], table).Should().Be(Diagnostics.Errno.None);
        ulong expected = 0;
        for (ulong round = 0; round < 3000; round++)
        {
            expected ^= expected << 13;
            expected ^= expected >> 7;
            expected = ((expected & 1) != 0 ? expected + 0x9e3779b9 : expected) + round;
        }

        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(table).ToArray().Should().OnlyContain(
            v => v == expected);
    }
}
