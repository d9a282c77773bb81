using Microsoft.Playwright;

namespace Kptr.Page.Tests;

/// <summary>Chromium without a window, one for all tests; pages are opened from disk, without a network.</summary>
public sealed class Browser : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("kptr-page");
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    /// <summary>Where Chromium is: <c>KPTR_CHROMIUM</c>, or where Debian has it.</summary>
    private static string Executable => Environment.GetEnvironmentVariable("KPTR_CHROMIUM") ?? "/usr/bin/chromium";

    public async Task InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(
            new() { ExecutablePath = Executable, Args = ["--no-sandbox"] });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
        }

        _playwright?.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Opens a page; an error of its script or a request of it fails the test that asks for them.</summary>
    internal async Task<OpenPage> OpenAsync(string html, int width = 1200, ColorScheme scheme = ColorScheme.Light)
    {
        var file = Path.Combine(_folder.FullName, $"{Guid.NewGuid():n}.html");
        await File.WriteAllTextAsync(file, html);
        var page = await _browser!.NewPageAsync(new()
        {
            ViewportSize = new() { Width = width, Height = 900 }, ColorScheme = scheme, Offline = true,
        });
        var open = new OpenPage(page);
        page.PageError += (_, error) => open.Errors.Add(error);
        page.Console += (_, said) => open.Errors.Add(said.Text);
        page.Dialog += (_, _) => open.Errors.Add("a dialog");
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith("file://" + file, StringComparison.Ordinal))
            {
                open.Errors.Add(request.Url);
            }
        };
        await page.GotoAsync("file://" + file);
        if (Environment.GetEnvironmentVariable("KPTR_SCREENSHOTS") is { Length: > 0 } folder)
        {
            await page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{width}-{scheme}-{html.Length}.png") });
        }

        return open;
    }
}

/// <summary>A page, and what went wrong in it.</summary>
internal sealed class OpenPage(IPage page) : IAsyncDisposable
{
    public IPage Page => page;

    public List<string> Errors { get; } = [];

    public async ValueTask DisposeAsync()
    {
        await page.CloseAsync();
        Errors.Should().BeEmpty();
    }
}
