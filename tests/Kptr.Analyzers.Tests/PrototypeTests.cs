using System.Text.RegularExpressions;
using Kptr.Analyzers.Kfuncs;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Specs;

namespace Kptr.Analyzers.Tests;

/// <summary>Holds the analyzer's reader of prototypes against Kptr's own of C.</summary>
public partial class PrototypeTests
{
    private const int Seed = 20;
    private static readonly string[] s_all =
    [
        .. KernelProfile.All.SelectMany(p => KfuncRegistry.Builtin.SpecsOf(p).Values)
            .Select(s => s.Prototype).Where(p => p.Length > 0).Distinct().Order(StringComparer.Ordinal),
    ];

    [Fact]
    public void Builtin_AllParse_WithTheirNames()
    {
        s_all.Should().HaveCountGreaterThan(150);
        foreach (var prototype in s_all)
        {
            var (read, fault) = PrototypeParser.Parse(prototype);
            fault.Should().BeNull(prototype);
            prototype.Should().Contain(read!.Name + "(");
        }
    }

    [Theory]
    [InlineData("int f(void)", "f", false, false, 0)]
    [InlineData("void f(struct x *a, u64 b)", "f", true, false, 2)]
    [InlineData("const char *f(int a, ...)", "f", false, true, 1)]
    [InlineData("void *f(int (*call)(void *ctx, int i), void *ctx)", "f", false, true, 2)]
    [InlineData("unsigned long long f(u8 bytes[16]);", "f", false, false, 1)]
    [InlineData("struct x __kptr *f(struct x *p__nullable)", "f", false, true, 1)]
    public void Prototype_SaysWhatItReturnsAndTakes(
        string text, string name, bool returnsVoid, bool returnsPointer, int params_)
    {
        var read = PrototypeParser.Parse(text).Read!;
        (read.Name, read.ReturnsVoid, read.ReturnsPointer, read.ParamCount).Should().Be(
            (name, returnsVoid, returnsPointer, params_));
    }

    // With a word or sign left out, doubled or in another's place: what is refused here, Kptr refuses too.
    [Fact]
    public void Broken_IsRefusedOnlyWhereKptrRefusesIt()
    {
        var random = new Random(Seed);
        var (refused, both) = (0, 0);
        for (var i = 0; i < 6000; i++)
        {
            var parts = Part().Matches(s_all[random.Next(s_all.Length)]).Select(m => m.Value).ToList();
            var (at, other) = (random.Next(parts.Count), random.Next(parts.Count));
            switch (i % 3)
            {
                case 0:
                    parts.RemoveAt(at);
                    break;
                case 1:
                    parts.Insert(at, parts[other]);
                    break;
                default:
                    (parts[at], parts[other]) = (parts[other], parts[at]);
                    break;
            }

            var text = string.Join(' ', parts);
            var isRefused = CDeclParser.TryParse($"{text};\n", "own", null, new DiagSink()) is null;
            refused += isRefused ? 1 : 0;
            if (PrototypeParser.Parse(text).Fault is { } fault && fault != "is no function, at column 1")
            {
                isRefused.Should().BeTrue($"seed {Seed}, case {i}: {text}: {fault}");
                both++;
            }
        }

        both.Should().BeGreaterThan(refused * 2 / 3, "what is left are mostly names that no type has");
    }

    [Theory]
    [InlineData("")]
    [InlineData("(")]
    [InlineData("((((((((((")]
    [InlineData("int f(int a[")]
    [InlineData("int f(int (*")]
    [InlineData("...")]
    [InlineData("struct")]
    [InlineData("int ;")]
    [InlineData("\u00e4")]
    public void Fragment_IsRefused_AndNothingBreaks(string text) =>
        PrototypeParser.Parse(text).Fault.Should().NotBeNull();

    [Fact]
    public void Nesting_WithoutEnd_IsGivenUp() =>
        PrototypeParser.Parse($"int {new string('(', 100_000)}").Should().Be(default);

    [GeneratedRegex(@"\w+|\.\.\.|\S")]
    private static partial Regex Part();
}
