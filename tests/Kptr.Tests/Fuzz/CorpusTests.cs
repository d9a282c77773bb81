using Kptr.Fuzz;
using Kptr.Tests.Shared;
using Xunit.Abstractions;

namespace Kptr.Tests.Fuzz;

/// <summary>
/// Every file of the fuzzing corpus, and mutations of each: only documented errors, in bounded time and memory.
/// <c>KPTR_FUZZ_MUTATIONS</c> sets how many a file, <c>KPTR_FUZZ_SEED</c> where to start.
/// </summary>
public class CorpusTests(ITestOutputHelper output)
{
    private const int MutationsDefault = 12;
    private const int SeedDefault = 12;

    public static TheoryData<string> Targets => [.. FuzzTarget.All.Select(t => t.Name)];

    [Theory, MemberData(nameof(Targets))]
    public void CorpusFile_AndItsMutations_AreReadOrRefused(string name)
    {
        var target = FuzzTarget.Find(name);
        var mutations = NightlyOption.Number("KPTR_FUZZ_MUTATIONS", MutationsDefault);
        var seed = NightlyOption.Number("KPTR_FUZZ_SEED", SeedDefault);
        int accepted = 0, refused = 0;
        foreach (var path in Corpus.FilesOf(target.CorpusPath))
        {
            var original = File.ReadAllBytes(path);
            for (var i = 0; i <= mutations; i++)
            {
                var input = i == 0 ? original : Mutator.Mutate(original, seed++);
                _ = Look(target, input, $"{Path.GetFileName(path)}, mutation {i} of seed {seed - 1}")
                    ? accepted++
                    : refused++;
            }
        }

        output.WriteLine($"{name}: {accepted} accepted, {refused} refused");
        accepted.Should().BePositive("a corpus that is all refused tests little");
        refused.Should().BePositive("and so does one that cannot be broken");
    }

    [Theory, MemberData(nameof(Targets))]
    public void Corpus_IsSmallAndNamedByContent(string name)
    {
        const int FilesMax = 99;
        const int BytesMax = 256 << 10;
        var files = Corpus.FilesOf(FuzzTarget.Find(name).CorpusPath).ToList();

        files.Count.Should().BeInRange(5, FilesMax);
        files.Sum(f => new FileInfo(f).Length).Should().BeLessThan(BytesMax);
        files.Should().OnlyContain(f => Path.GetFileName(f) == Corpus.NameOf(File.ReadAllBytes(f)));
    }

    private static bool Look(FuzzTarget target, byte[] input, string where)
    {
        try
        {
            return Finding.Look(target, input);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{where}: {Convert.ToHexString(input)}", e);
        }
    }
}
