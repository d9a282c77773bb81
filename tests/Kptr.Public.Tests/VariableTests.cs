using System.Runtime.InteropServices;
using System.Text;
using Kptr.Diagnostics;
using Kptr.Tests.Shared;

namespace Kptr.Public.Tests;

/// <summary>Global variables of an object by name, before it is loaded and while its programs run.</summary>
public class VariableTests
{
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Pair(uint First, ulong Second);

    private enum Mode
    {
        Count = 1,
        Add = 2,
    }

    [Fact]
    public void Variables_SetBeforeTheLoad_AreWhatProgramsRead_AndShareWithCSharpAfterwards()
    {
        using var kernel = PublicKernel.Boot();
        using var obj = Open();
        obj.Variables["target_pid"].Set(1);
        obj.Variables["step"].Set(40);
        obj.Variables["mode"].Set(Mode.Add);
        obj.Variables["hits"].Set(2UL);
        obj.Variables["pair"].Set(new Pair(7, 100));
        obj.Variables["prefix"].SetBytes("new"u8);
        obj.Variables["step"].Get<int>().Should().Be(40, "it is read back before the load too");
        obj.Load(kernel, p => p.Name == "work");

        obj.Programs["work"].TestRun().ReturnValue.Should().Be(1);

        obj.Variables["hits"].Get<ulong>().Should().Be(42);
        obj.Variables["pair"].Get<Pair>().Should().Be(new Pair(7, 107));
        obj.Variables["flags"].Get<byte>().Should().Be((byte)'n');
        Encoding.ASCII.GetString(obj.Variables["prefix"].GetBytes()).TrimEnd('\0').Should().Be("new");
        obj.Variables["hits"].Set(0UL);
        obj.Variables["step"].Set(-1);
        obj.Programs["work"].TestRun().ReturnValue.Should().Be(1);
        obj.Variables["hits"].Get<long>().Should().Be(-1);
        obj.Variables["config"].Get<ulong>().Should().Be(obj.Variables["CONFIG_HZ"].Get<uint>());
    }

    [Fact]
    public void Constant_DecidesWhatIsVerified()
    {
        using var kernel = PublicKernel.Boot();
        using (var fine = Open())
        {
            fine.Load(kernel, p => p.Name == "work");
        }

        using var leaky = Open();
        leaky.Variables["keeps"].Set(true);
        var load = () => leaky.Load(kernel, p => p.Name == "work");

        load.Should().Throw<ProgramRejectedException>().WithMessage("*Unreleased reference*");
        leaky.Variables["keeps"].Set(false);
        leaky.Load(kernel, p => p.Name == "work").Programs.Should().ContainKey("work", "another try has other values");
    }

    [Fact]
    public void Constant_OfALoadedObject_IsFrozen()
    {
        using var kernel = PublicKernel.Boot();
        using var obj = Open().Load(kernel);
        var pid = obj.Variables["target_pid"];

        var set = () => pid.Set(7);

        set.Should().Throw<InvalidOperationException>().WithMessage("*target_pid in .rodata*set it before*");
        pid.Get<int>().Should().Be(0);
        pid.IsConstant.Should().BeTrue();
    }

    [Fact]
    public void Name_ThatStandsTwice_IsFoundBySection()
    {
        using var once = Open();
        var spec = once.Spec;
        var data = spec.Maps.Single(m => m.Name == ".data");
        using var obj = BpfObject.From(spec with { Maps = spec.Maps.Add(data with { Name = ".data.other" }) });

        obj.Variables.Should().NotContainKey("step").And.ContainKey("hits");
        obj.Variables[".data.other/step"].Set(4);
        obj.Variables[".data/step"].Get<int>().Should().Be(3);
        obj.Variables[".data.other/step"].Get<int>().Should().Be(4);
        obj.Variables["other_twice.twice"].Get<int>().Should().Be(2, "clang names a static after its function");
    }

    [Fact]
    public void Name_ThatIsNone_ThrowsWithNearOnes()
    {
        using var obj = Open();

        var get = () => obj.Variables["target_pdi"];

        get.Should().Throw<KeyNotFoundException>().WithMessage("*no variable \"target_pdi\"*\"target_pid\"*");
        obj.Variables.TryGetValue("target_pdi", out _).Should().BeFalse();
    }

    [Fact]
    public void Type_OfAnotherSizeOrKind_IsRefused()
    {
        using var obj = Open();
        var step = obj.Variables["step"];

        ((Action)(() => step.Set(3L))).Should().Throw<ArgumentException>().WithMessage("*step*4 bytes*Int64 has 8*");
        ((Action)(() => step.Get<float>())).Should().Throw<ArgumentException>();
        ((Action)(() => obj.Variables["prefix"].SetBytes(new byte[9]))).Should().Throw<ArgumentException>();
        step.Set(9u);
        step.Get<uint>().Should().Be(9, "signs are not asked about");
    }

    [Fact]
    public void Kptr_AmongTheVariables_IsProgramsOnly()
    {
        using var kernel = PublicKernel.Boot();
        using var obj = Open().Load(kernel);
        obj.Programs["keep"].TestRun().ReturnValue.Should().Be(0);
        var kept = obj.Variables["kept"];

        var set = () => kept.Set(1UL);
        set.Should().Throw<InvalidOperationException>().WithMessage("*only programs change*");
        kept.Get<ulong>().Should().Be(0, "the address is not shown");
        obj.Variables["lock"].GetBytes().Should().OnlyContain(b => b == 0);

        obj.Dispose();
        kernel.Quiesce();
        kernel.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Kptr_SetBeforeTheLoad_IsNoKptr()
    {
        using var kernel = PublicKernel.Boot();
        using var obj = Open();
        obj.Variables["kept"].Set(0x1234UL);
        var load = () => obj.Load(kernel);

        load.Should().Throw<DiagnosticException>().WithMessage("*kept in .data.A was set*only programs change*");
    }

    [Fact]
    public void Variable_OfADisposedObject_ThrowsAndTouchesNothing()
    {
        using var kernel = PublicKernel.Boot();
        var obj = Open().Load(kernel);
        var hits = obj.Variables["hits"];
        obj.Dispose();
        kernel.Quiesce();

        ((Action)(() => hits.Get<ulong>())).Should().Throw<ObjectDisposedException>();
        ((Action)(() => hits.Set(1UL))).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void Variable_SetWhileTheObjectGoes_EitherIsSetOrThrows()
    {
        for (var round = 0; round < 50; round++)
        {
            using var kernel = PublicKernel.Boot();
            var obj = Open().Load(kernel, _ => false);
            var hits = obj.Variables["hits"];
            using var start = new Barrier(2);
            var gone = false;
            var setter = new Thread(() =>
            {
                start.SignalAndWait();
                for (var i = 0UL; i < 1000 && !gone; i++)
                {
                    try
                    {
                        hits.Set(i);
                    }
                    catch (ObjectDisposedException)
                    {
                        gone = true;
                    }
                }
            });
            setter.Start();
            start.SignalAndWait();
            obj.Dispose();
            kernel.Quiesce();
            setter.Join();
            kernel.TakeFaults().Should().BeEmpty();
        }
    }

    private static BpfObject Open() =>
        BpfObject.Open(Path.Combine(RepoRoot.Path, "tests", "data", "run", "variables.bpf.o"));
}
