using System.Text.RegularExpressions;
using Kptr.Objects;

namespace Kptr.Repo.Tests;

/// <summary>Every hook that a page, a README or a sample names is one of the kernel's.</summary>
public sealed partial class HookNameTests : IDisposable
{
    private readonly KernelModel _kernel = new(new() { Driver = DeferredDriver.Manual });

    private static readonly string[] Named =
    [
        "README.md", .. Repo.Files("docs", "*.md"), .. Repo.Files("src", "*.md"), .. Repo.Files("samples", "*.cs"),
        .. Repo.Files("samples", "*.c"),
    ];

    public static TheoryData<string> Files => [.. Named];

    public void Dispose() => _kernel.Dispose();

    [Theory, MemberData(nameof(Files))]
    public void HookOfAPageOrSample_IsTheKernels(string file)
    {
        var text = File.ReadAllText(Repo.PathOf(file));
        foreach (var hook in Sections().Matches(text).Concat(Calls().Matches(text)).Select(m => m.Groups["hook"].Value))
        {
            _kernel.Invoking(k => k.On(hook, () => { }).Dispose()).Should().NotThrow($"{file} names \"{hook}\"");
        }

        foreach (Match hook in Events().Matches(text))
        {
            _kernel.Invoking(k => k.RaiseEvent(hook.Groups["hook"].Value, [])).Should().NotThrow();
        }
    }

    [Fact]
    public void PagesAndSamples_NameHooks() => Named.Sum(f => Sections().Count(File.ReadAllText(Repo.PathOf(f))))
        .Should().BeGreaterThan(10, "else the patterns find nothing any more");

    // SEC("tp_btf/...") in C, `tp_btf/...` in the assembler's -- prog lines and in prose.
    [GeneratedRegex(
        @"(?:tp_btf|raw_tp|fentry|fexit|fmod_ret|lsm(?:\.s)?)/(?!fexit|fmod_ret|fsession)(?<hook>[a-z_0-9]{3,})\b")]
    private static partial Regex Sections();

    [GeneratedRegex(@"\.(?:On(?:<[^>]*>)?|Raise|Call)\(\s*""(?<hook>[^""]+)""")]
    private static partial Regex Calls();

    [GeneratedRegex(@"SEC\(""(?:tp|tracepoint)/(?<hook>[^""]+)""")]
    private static partial Regex Events();
}
