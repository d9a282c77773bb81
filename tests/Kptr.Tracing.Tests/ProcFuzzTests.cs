using System.Text;
using Kptr.Fuzz;
using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Tracing.Tests;

/// <summary>
/// Mutations of the files of a /proc between two looks: a documented error, and the model agrees with it again once
/// it is whole. <c>KPTR_FUZZ_PROC</c> says how many, 100,000 for a night; <c>KPTR_FUZZ_SEED</c> where to start.
/// </summary>
public sealed class ProcFuzzTests : IDisposable
{
    private const int InputsDefault = 250;
    private const int Boot = 100;

    private static readonly string[] Mutated =
    [
        "10/task/10/stat", "10/task/11/stat", "20/task/20/stat", "1/task/1/stat", "10/task/10/status",
        "20/task/20/cgroup", "uptime", "stat", "20/net/tcp",
    ];

    private readonly FakeProc _machine = new();

    public ProcFuzzTests()
    {
        _machine.Write("cgroup/cgroup.controllers", "");
        _machine.Write("cgroup/web/cgroup.procs", "");
        _machine.Write("proc/uptime", $"{Boot}.00 50.00\n");
        _machine.Write("proc/stat", "cpu  1 2 3\nprocesses 500\n");
        _machine.Task(1, 1, "init", parent: 0);
        _machine.Task(10, 10, "bash) S 1 (\n", parent: 1, start: 5, user: 7, cgroup: "/web");
        _machine.Task(10, 11, "worker", parent: 1, start: 6, cgroup: "/web");
        _machine.Task(20, 20, "nginx", parent: 10, start: 7, uid: 33, cgroup: "/web");
        _machine.Write("proc/20/net/tcp", "  sl  local_address rem_address\n"
            + "   0: 0100007F:0050 00000000:0000 0A 0:0 00:0 0 33 0 500 1\n");
        if (!OperatingSystem.IsWindows())
        {
            _machine.Open(20, 3, "socket:[500]");
        }
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void MutatedProc_IsTakenOrRefused_AndAgreesOnceItIsWhole()
    {
        var seed = NightlyOption.Number("KPTR_FUZZ_SEED", 1);
        var refused = 0;
        for (var last = seed + NightlyOption.Number("KPTR_FUZZ_PROC", InputsDefault); seed < last; seed++)
        {
            var path = Path.Combine(_machine.Proc, Mutated[seed % Mutated.Length]);
            var whole = File.ReadAllBytes(path);
            var input = Mutator.Mutate(whole, seed);
            try
            {
                refused += Follow(path, input, whole) ? 1 : 0;
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, {path}: {Encoding.Latin1.GetString(input)}", e);
            }
            finally
            {
                File.WriteAllBytes(path, whole);
            }
        }

        refused.Should().BePositive("some are no proc file any more");
    }

    // Odd lengths begin with the broken machine, even ones meet it on the way.
    private bool Follow(string path, byte[] input, byte[] whole)
    {
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        var live = new LiveProc(kernel, new() { Proc = _machine.Proc, Cgroup = _machine.Cgroup });
        if (input.Length % 2 == 0)
        {
            live.Look();
        }

        File.WriteAllBytes(path, input);
        MakeWithFiles();
        var report = live.Look();
        kernel.Tasks.All.Select(t => t.Pid).Should().OnlyHaveUniqueItems();
        var isRefused = report.Gaps.Count + report.Refused.Count > 0;

        File.WriteAllBytes(path, whole);
        live.Look().Differences.Should().Be(0);
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.AssertAllReturned();
        return isRefused;
    }

    // A look reads no files. What of them is not understood is listed.
    private void MakeWithFiles()
    {
        using var kernel = new KernelModel(new() { Driver = DeferredDriver.Manual });
        ProcSnapshot.Read(_machine.Proc, _machine.Cgroup).MakeIn(kernel);
        kernel.Quiesce();
        kernel.Faults.Should().BeEmpty();
        kernel.Ledger.AssertAllReturned();
    }
}
