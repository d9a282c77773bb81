using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Public.Tests.Objects;

/// <summary>
/// Whoever gives back references that are not his takes them from the kernel. That is a reported fault, and what the
/// kernel still uses is never freed under it.
/// </summary>
public class OverReleaseTests
{
    public static TheoryData<string> Kinds =>
        ["task", "thread", "cgroup", "file", "open file", "mapped file", "socket", "flow"];

    [Theory, MemberData(nameof(Kinds))]
    public void Release_OfWhatIsTheKernels_IsReported_AndNothingIsFreedUnderIt(string kind)
    {
        using var kernel = PublicKernel.Boot();
        switch (kind)
        {
            case "task":
                var task = kernel.Tasks.Fork(kernel.Tasks.Init);
                TakeAll(kernel, task);
                kernel.Tasks.Fork(task);
                kernel.Tasks.Exec(task, "on");
                kernel.Tasks.Exit(task);
                kernel.Tasks.Reap(task);
                break;
            case "thread":
                var thread = kernel.Tasks.ForkThread(kernel.Tasks.Fork(kernel.Tasks.Init));
                TakeAll(kernel, thread);
                kernel.Tasks.ExitProcess(thread);
                kernel.Tasks.Reap(thread.Leader);
                break;
            case "cgroup":
                var cgroup = kernel.Cgroups.Create("a");
                TakeAll(kernel, cgroup);
                var below = kernel.Cgroups.Create(cgroup, "b");
                var inside = kernel.Tasks.Fork(kernel.Tasks.Init);
                kernel.Cgroups.Attach(below, inside).Should().Be(Errno.None);
                kernel.Cgroups.Attach(cgroup, inside).Should().Be(Errno.None);
                kernel.Cgroups.Remove(below).Should().Be(Errno.None);
                kernel.Tasks.Exit(inside);
                kernel.Tasks.Reap(inside);
                kernel.Quiesce();
                kernel.Cgroups.Remove(cgroup).Should().Be(Errno.None);
                break;
            case "file":
                var file = new KernelFile(kernel, "/etc/passwd");
                TakeAll(kernel, file);
                file.Close();
                break;
            case "open file" or "mapped file":
                var used = new KernelFile(kernel, "/etc/passwd");
                var user = kernel.Tasks.Fork(kernel.Tasks.Init);
                if (kind == "open file")
                {
                    user.Files!.Open(used);
                }
                else
                {
                    user.Mm!.SetExeFile(used);
                }

                TakeAll(kernel, used);
                kernel.Tasks.Exit(kernel.Tasks.Fork(user));
                kernel.Tasks.Exit(user);
                used.Close();
                break;
            case "socket":
                var socket = new Sock(kernel, new FlowTuple { Protocol = 6, SourcePort = 1 });
                TakeAll(kernel, socket);
                socket.Close();
                break;
            default:
                var flow = kernel.Conntrack.Allocate(new FlowTuple { Protocol = 6, SourcePort = 1, DestPort = 2 });
                kernel.Conntrack.Insert(flow).Should().Be(Errno.None);
                TakeAll(kernel, flow);
                kernel.Conntrack.Remove(flow);
                break;
        }

        kernel.Quiesce();
        kernel.TakeFaults().Should().OnlyContain(
            f => f.Code == DiagCode.RefCountUnderflow || f.Code == DiagCode.RefCountSaturated);
    }

    private static void TakeAll<T>(KernelModel kernel, T obj)
        where T : KernelObject
    {
#pragma warning disable KPTR001, KPTR002 // the misuse that is meant
        var mine = KernelRef.TryAcquire(obj)!.Value;
        while (obj.Count.Value > 0)
        {
            mine.Release();
        }
#pragma warning restore KPTR001, KPTR002

        kernel.Quiesce();
        obj.IsFreed.Should().BeFalse("the kernel uses it");
        kernel.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.RefCountUnderflow);
    }
}
