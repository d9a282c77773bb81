using Kptr.Btf;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Model;

/// <summary>
/// A real kernel's structs end with arrays of no declared length; what the model keeps in them needs room of its own.
/// </summary>
public class FlexibleArrayTests
{
    private const string Types = """
        struct upid { int nr; struct pid_namespace *ns; };
        struct pid { refcount_t count; unsigned int level; struct upid numbers[0]; };
        struct cgroup { int level; struct cgroup *ancestors[0]; };
        """;

    private const string Refcount =
        "typedef struct { int counter; } atomic_t; typedef struct refcount_struct { atomic_t refs; } refcount_t;\n";

    [Fact]
    public void Pids_OfManyTasks_StayWhatTheyWere_InAKernelWithFlexibleArrays()
    {
        var spec = BuiltinKernel.Spec(
            KernelProfile.Linux6_12, new KernelTypes(CDeclParser.Parse(Refcount + Types, "vmlinux")));
        using var kernel = new KernelModel(new KernelModelOptions { Kernel = spec, LedgerLevel = LedgerLevel.Sites });

        var pid = kernel.LayoutOf("pid", TaskFields.Pid);
        TaskFields.Pid.Select(f => pid.Field(f.Path)).Should().OnlyContain(
            f => f.OffsetBytes + f.SizeBytes <= pid.Slab.AllocBytes);
        var tasks = Enumerable.Range(0, 500).Select(_ => kernel.Tasks.Fork(kernel.Tasks.Init, "worker")).ToList();
        tasks.Select(t => t.PidIn(kernel.Tasks.InitNamespace)).Should().OnlyHaveUniqueItems();
        foreach (var task in tasks)
        {
            kernel.Tasks.Exit(task);
            kernel.Tasks.Reap(task);
        }

        kernel.Quiesce();
        tasks.Should().OnlyContain(t => t.IsFreed);
        kernel.Ledger.AssertAllReturned();
    }
}
