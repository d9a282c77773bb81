namespace Kptr.Analyzers.Tests;

/// <summary>What people write and is right: nothing is said of it.</summary>
public class SoundTests
{
    private static readonly Dictionary<string, string> s_all = Fault.Titled("Sound.txt")
        .ToDictionary(p => p.Title, p => p.Text);

    public static TheoryData<string> Titles => [.. s_all.Keys];

    [Theory, MemberData(nameof(Titles))]
    public async Task Code_ThatIsRight_IsLeftAlone(string title) =>
        (await Snippet.FindingsAsync(s_all[title])).Select(d => d.ToString()).Should().BeEmpty();
}
