using Kptr.Objects;
using Microsoft.Playwright;

namespace Kptr.Page.Tests;

public class LedgerPageTests(Browser browser) : IClassFixture<Browser>
{
    private const int Many = 10_000;
    private static readonly string s_html = Snapshot(Many).ToHtml("ten thousand");

    [Fact]
    public async Task TenThousandReferences_StayFluid()
    {
        await using var open = await browser.OpenAsync(s_html);
        var page = open.Page;
        var table = page.Locator("#references");
        (await table.Locator(".count").InnerTextAsync()).Should().Be("10,000 rows");
        (await table.Locator(".row").CountAsync()).Should().BeLessThan(100, "only what is in sight is there");

        // Filter, sort and scroll: the longest of them within two frames of a slow machine.
        var longest = await page.EvaluateAsync<double>("""
            async () => {
              const grid = document.querySelector("#references .grid");
              const input = document.querySelector("#references input[type=search]");
              let longest = 0;
              const time = async act => {
                const began = performance.now();
                act();
                await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
                longest = Math.max(longest, performance.now() - began);
              };
              for (const text of ["t", "ta", "task 99", ""]) {
                await time(() => { input.value = text; input.dispatchEvent(new Event("input")); });
              }
              for (const head of grid.querySelectorAll(".head button")) await time(() => head.click());
              for (let at = 0; at < 300000; at += 30000) await time(() => { grid.scrollTop = at; });
              return longest;
            }
            """);
        longest.Should().BeLessThan(500, "milliseconds from an act to its picture");
    }

    [Fact]
    public async Task Table_FiltersAndSorts()
    {
        await using var open = await browser.OpenAsync(s_html);
        var table = open.Page.Locator("#references");
        await table.GetByLabel("Filter").FillAsync("task-77 \"kept\"");
        var rows = table.Locator(".row");
        (await table.Locator(".count").InnerTextAsync())
            .Should().Be("111 of 10,000 rows", "77, 770 to 779, 7700 to 7799");
        var bytes = table.GetByRole(AriaRole.Columnheader, new() { Name = "bytes" });
        await bytes.GetByRole(AriaRole.Button).ClickAsync();
        await bytes.GetByRole(AriaRole.Button).ClickAsync();
        (await bytes.GetAttributeAsync("aria-sort")).Should().Be("descending");
        (await rows.First.InnerTextAsync()).Should().Contain("task-77");
    }

    [Fact]
    public async Task Graph_NamesHolders_AndFiltersTheTable()
    {
        await using var open = await browser.OpenAsync(s_html);
        var graph = open.Page.Locator("#pins");
        (await graph.InnerTextAsync()).Should().Contain("40 objects").And.Contain("10,000");
        await graph.GetByRole(AriaRole.Button, new() { Name = "map \"kept\"" }).FocusAsync();
        await open.Page.Keyboard.PressAsync("Enter");
        (await open.Page.Locator("#references .count").InnerTextAsync()).Should().Be("10,000 rows");
    }

    [Fact]
    public async Task KernelsOwn_AreFolded_UntilAskedFor()
    {
        using var kernel = new KernelModel(new() { LedgerLevel = LedgerLevel.Sites, Driver = DeferredDriver.Manual });
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "nginx");
        using var owned = KernelRef.TryAcquire(task);
        await using var open = await browser.OpenAsync(kernel.Ledger.ToHtml());
        var count = open.Page.Locator("#references .count");
        (await count.InnerTextAsync()).Should().Be("1 rows");
        await open.Page.GetByLabel("with those of the kernel itself").CheckAsync();
        (await count.InnerTextAsync()).Should().NotBe("1 rows");
    }

    [Theory]
    [InlineData("</script><script>alert(1)</script>")]
    [InlineData("<img src=x onerror=alert(1)>")]
    [InlineData("\" onfocus=\"alert(1)")]
    [InlineData("\u2028\u2029{{DATA}}{{TITLE}}{{SCRIPT}}")]
    [InlineData("]]>--><!--")]
    public async Task NamesThatAreMarkup_AreText(string name)
    {
        var entries = Snapshot(1).Entries[0] with { Object = name, Holder = new MapHolder(name, name, name) };
        await using var open = await browser.OpenAsync(new LedgerSnapshot(5, [entries]).ToHtml(name));
        (await open.Page.Locator("h1").TextContentAsync()).Should().Be(name);
        (await open.Page.Locator("#references .row div").First.TextContentAsync()).Should().Be(name);
        (await open.Page.Locator("script").CountAsync()).Should().Be(2);
    }

    [Fact]
    public async Task Run_HasMapsAndWhatRan()
    {
        await using var open = await browser.OpenAsync(Tool.Run(
            "run", "samples/TaskTracker/bpf/task_tracker.bpf.o", "--trace", "samples/TraceReplay/trace.txt"));
        (await open.Page.Locator("#maps table").Nth(0).InnerTextAsync())
            .Should().Contain("task_struct pid 510 \"backup\"");
        (await open.Page.Locator("#ran .row").CountAsync()).Should().Be(4);
        (await open.Page.Locator("#summary").InnerTextAsync()).Should().Contain("4 references on 4 objects");
        (await open.Page.Locator("#times .life").CountAsync()).Should().Be(4);
    }

    private static LedgerSnapshot Snapshot(int count) => new(1_000_000_000_000,
    [
        .. Enumerable.Range(0, count).Select(i => new LedgerEntry(
            i, "task_struct", $"task-{i}", (ulong)(0xffff_0000 + (i * 64)), new MapHolder("kept", $"{i}", "task"),
            new("tracker.bpf.c", 10 + (i % 50), "on_newtask", i % 90), RefSite.Unknown, i * 1_000_000L,
            1000 + (i % 7))),
    ]);
}
