using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Shared;

namespace Kptr.Public.Tests.Pages;

/// <summary>What docs/troubleshooting.md says is printed is what people meet.</summary>
public class TroubleshootingPageTests
{
    private static readonly string s_page =
        File.ReadAllText(Path.Combine(RepoRoot.Path, "docs", "troubleshooting.md"));

    [Fact]
    public void FileThatIsNoObject()
    {
        var open = () => BpfObject.Open(new byte[64], "prog.bpf.o");
        IsOnThePage(open.Should().Throw<DiagnosticException>().Which.Message);
    }

    [Fact]
    public void ProgramThatWasNotAskedForItsEvents()
    {
        using var kernel = PublicKernel.Boot();
        var attach = () => ProgText.Load(kernel, "r0 = 0\nexit").Attach();
        IsOnThePage(attach.Should().Throw<Exception>().Which.Message);
    }

    [Fact]
    public void HolderThatNobodyWroteDown()
    {
        using var kernel = PublicKernel.Boot();
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "bash");
        var kept = task.TryAcquire();
        IsOnThePage(kernel.Ledger.WhoPins(task).Users.Single().ToString());
        kept?.Release();
    }

    [Fact]
    public void LookOutsideAReader()
    {
        using var kernel = PublicKernel.Boot();
        using var map = new HashMap<int, TaskEntry>(kernel, maxEntries: 4);
        using (kernel.Rcu.ReadLock())
        {
            map.LookupOrInit(1).Task.Exchange(kernel.Tasks.Init.TryAcquire())?.Release();
        }

#pragma warning disable KPTR005 // the mistake that is shown
        map.Lookup(1).Task.Peek();
#pragma warning restore KPTR005
        IsOnThePage(kernel.TakeFaults().Single().Code.ToString());
    }

    [Fact]
    public void DeleteThatGivesNothingBack()
    {
        using var kernel = PublicKernel.Boot(DestroyBehavior.Recycle);
        using var map = new HashMap<int, TaskEntry>(kernel, maxEntries: 4);
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "bash");
        using (kernel.Rcu.ReadLock())
        {
            map.LookupOrInit(task.Pid).Task.Exchange(task.TryAcquire())?.Release();
        }

        map.Delete(task.Pid);
        kernel.Quiesce();
        var all = kernel.Ledger.Invoking(l => l.AssertAllReturned());
        IsOnThePage(all.Should().Throw<LedgerLeakException>().Which.Message.Split('\n')[1].Trim());
        kernel.Ledger.AssertNoLeaks();
    }

    private static void IsOnThePage(string message) => s_page.Should().Contain(message);
}
