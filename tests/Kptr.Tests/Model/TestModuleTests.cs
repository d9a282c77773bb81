using Kptr.KernelSelftests.Testmod;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Tests.Model;

/// <summary>
/// The emulated module of the kernel's selftests, built with the public API alone, under a program that uses it.
/// </summary>
public sealed class TestModuleTests : IDisposable
{
    private readonly KernelModel _kernel = new(new()
    {
        Declarations = TestModule.Declarations,
        Kfuncs = TestModule.Kfuncs,
        LedgerLevel = LedgerLevel.Sites,
        Driver = DeferredDriver.Manual,
    });

    private readonly BpfObject _programs;

    public TestModuleTests() => _programs = BpfObject.Open(TestData.Path("run", "testmod.bpf.o")).Load(_kernel);

    public void Dispose()
    {
        _programs.Dispose();
        _kernel.Quiesce();
        _kernel.Ledger.AssertAllReturned();
        _kernel.Dispose();
    }

    [Fact]
    public void StaticObject_MovesThroughASlot_AndItsCountComesBack()
    {
        var ref0 = TestModule.In(_kernel).RefObject;
        Run("stash", 1).Should().Be(0);       // module, slot 1            cnt 2
        Run("stash", 2).Should().Be(0);       // module, slots 1 and 2     cnt 3
        ref0.Count.Value.Should().Be(3);
        Run("look", 1).Should().Be(42 + 108 + 42);
        ref0.Count.Value.Should().Be(2);      // module, slot 2
        _programs.Maps["slots"].Delete(2);
        ref0.Count.Value.Should().Be(1);      // module
    }

    [Fact]
    public void AllocatedContext_IsFreedAfterAGracePeriod_OnceItsElementIsDeleted()
    {
        Run("stash", 1).Should().Be(0);
        var context = _kernel.Heap.LiveObjects().OfType<TestModuleContext>().Single();
        _kernel.Ledger.WhoPins(context).Users.Single().ToString().Should()
            .StartWith("map \"slots\", key 1, field ctx, since stash insn ").And.Contain("acquired at stash insn ");
        _programs.Maps["slots"].Delete(1);
        context.IsFreed.Should().BeFalse();
        _kernel.Rcu.Step();
        context.IsFreed.Should().BeTrue();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 3 * 999)]
    [InlineData(-1, 0)]
    public void Iterator_GivesItsValueAsOftenAsAsked(int count, int sum) => Run("sums", count).Should().Be(sum - 1233);

    private int Run(string program, int argument)
    {
        var result = _programs.Programs[program].TestRun(BitConverter.GetBytes(argument));
        result.Fault.Should().BeNull();
        return (int)result.ReturnValue;
    }
}
