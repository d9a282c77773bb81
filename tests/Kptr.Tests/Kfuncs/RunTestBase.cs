using System.Text;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Kfuncs;

/// <summary>Loads objects of <c>tests/data/run</c> and runs their programs.</summary>
public abstract class RunTestBase
{
    private protected static KernelModel NewKernel() =>
        new(new KernelModelOptions { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });

    private protected static BpfObject Load(KernelModel kernel, string file)
    {
        try
        {
            return BpfObject.Open(TestData.Path("run", file + ".bpf.o")).Load(kernel);
        }
        catch (ProgramRejectedException e)
        {
            var log = new StringBuilder(e.Message);
            foreach (var d in e.Refused.SelectMany(r => r.Result.Diagnostics))
            {
                log.AppendLine().Append(d).Append(" at ").Append(d.Source);
            }

            throw new InvalidOperationException(log.ToString(), e);
        }
    }

    private protected static long Run(BpfObject obj, string program, byte[]? context = null)
    {
        var result = obj.Programs[program].TestRun(context);
        result.Fault.Should().BeNull();
        return result.ReturnValue;
    }

    /// <summary>The first word of the object's zeroed variables.</summary>
    private protected static ulong Seen(BpfObject obj)
    {
        var bss = new byte[obj.Maps[".bss"].ValueSize];
        obj.Maps[".bss"].LookupElem(new byte[4], bss).Should().Be(Errno.None);
        return BitConverter.ToUInt64(bss);
    }

    private protected static void End(KernelModel kernel, TaskStruct task)
    {
        kernel.Tasks.Exit(task);
        kernel.Tasks.Reap(task).Should().BeTrue();
        kernel.Quiesce();
    }
}
