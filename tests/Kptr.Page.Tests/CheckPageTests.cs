using Microsoft.Playwright;

namespace Kptr.Page.Tests;

public class CheckPageTests(Browser browser) : IClassFixture<Browser>
{
    private static readonly string s_html = Tool.Run("check", "samples/TaskTracker/bpf");

    [Fact]
    public async Task PathOfAFault_IsSteppedThrough_ByButtonsAndKeys()
    {
        await using var open = await browser.OpenAsync(s_html);
        var program = open.Page.Locator("details.program", new() { HasText = "never_released [" });
        (await program.GetAttributeAsync("open")).Should().NotBeNull("what is refused is open");
        var step = program.Locator(".step");
        (await step.InnerTextAsync()).Should().StartWith("5 of 5, instruction 8: the path ends here");
        (await program.Locator(".pane .now").AllInnerTextsAsync()).Should().HaveCount(2)
            .And.Contain(t => t.EndsWith('}')).And.Contain(t => t.EndsWith("exit"));

        await program.GetByText("taken 1").ClickAsync();
        (await step.InnerTextAsync()).Should().StartWith("1 of 5, instruction 1: bpf_task_acquire takes the reference")
            .And.Contain("ref_obj_id=2");
        (await program.Locator(".pane .now").AllInnerTextsAsync())
            .Should().Contain(t => t.Contains("kfunc bpf_task_acquire"))
            .And.Contain(t => t.Contains("struct task_struct *task = bpf_task_acquire("));

        await open.Page.Keyboard.PressAsync("ArrowRight");
        (await step.InnerTextAsync()).Should().StartWith("2 of 5");
        await program.GetByText("step back").ClickAsync();
        await open.Page.Keyboard.PressAsync("ArrowLeft");
        (await step.InnerTextAsync()).Should().StartWith("1 of 5", "there is nothing before the first");
    }

    [Fact]
    public async Task AcceptedPrograms_AreHiddenWhenAskedTo()
    {
        await using var open = await browser.OpenAsync(s_html);
        var shown = open.Page.Locator("details.program:visible");
        (await shown.CountAsync()).Should().Be(16);
        await open.Page.GetByLabel("only what is not accepted").CheckAsync();
        (await shown.CountAsync()).Should().Be(6);
    }

    [Theory]
    [InlineData(1200, ColorScheme.Light)]
    [InlineData(1200, ColorScheme.Dark)]
    [InlineData(380, ColorScheme.Light)]
    public async Task Page_FitsItsScreen(int width, ColorScheme scheme)
    {
        await using var open = await browser.OpenAsync(s_html, width, scheme);
        (await open.Page.EvaluateAsync<int>("document.documentElement.scrollWidth"))
            .Should().BeLessThanOrEqualTo(width);
        var paper = await open.Page.EvaluateAsync<string>("getComputedStyle(document.body).backgroundColor");
        paper.Should().Be(scheme == ColorScheme.Dark ? "rgb(20, 24, 28)" : "rgb(253, 253, 252)");
    }

    [Fact]
    public async Task EverythingThatActs_IsReachedByKeyboard()
    {
        await using var open = await browser.OpenAsync(s_html);
        var reached = new HashSet<string>();
        for (var i = 0; i < 30; i++)
        {
            await open.Page.Keyboard.PressAsync("Tab");
            reached.Add(await open.Page.EvaluateAsync<string>(
                "document.activeElement.tagName + ' ' + document.activeElement.className"));
        }

        reached.Should().Contain("A ").And.Contain("INPUT ").And.Contain("SUMMARY ").And.Contain("BUTTON acquired")
            .And.Contain("DIV pane");
    }
}
