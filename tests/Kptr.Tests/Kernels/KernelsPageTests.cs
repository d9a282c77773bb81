using Kptr.Elf;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Tests.Kernels;

/// <summary>What docs/kernels.md shows of a kernel whose BTF is a file.</summary>
public sealed class KernelsPageTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kptr-kernels");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void KernelOfYourOwn()
    {
        var vmlinux = Path.Combine(_folder.FullName, "vmlinux");
        File.WriteAllBytes(vmlinux, BuiltinKernel.Spec(KernelProfile.Linux6_12).Types.Vmlinux.ToBytes());
        var path = Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o");

        BtfKernel kernel = BtfKernel.Read("vendor-6.6", KernelBtfReader.Read(vmlinux), KernelProfile.Linux6_12);
        Console.WriteLine(kernel);                                     // each fact, and where it comes from
        foreach (ProgVerdict verdict in ObjectCheck.Run(path, kernel.Spec))
        {
            Console.WriteLine(verdict);
        }

        ObjectCheck.Run(path, kernel.Spec).Select(v => v.Result.Message).Should().NotBeEmpty()
            .And.OnlyContain(m => m.Length == 0, "all are accepted");
        kernel.ToString().Should().Contain("vendor-6.6");
    }
}
