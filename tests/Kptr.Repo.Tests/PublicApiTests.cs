using System.Text.RegularExpressions;
using System.Xml.Linq;
using PublicApiGenerator;

namespace Kptr.Repo.Tests;

/// <summary>
/// The public API as PublicApiGenerator writes it, one text file a namespace in Api/: a change of it is seen in review.
/// </summary>
public class PublicApiTests
{
    private const string Accept = "KPTR_UPDATE_API=1 dotnet test tests/Kptr.Repo.Tests --filter PublicApi";

    private static readonly ApiGeneratorOptions Options = new()
    {
        IncludeAssemblyAttributes = false,
        UseDenyNamespacePrefixesForExtensionMethods = false,
        OrderBy = OrderMode.NamespaceThenFullName,
    };

    private static string ApiFolder => Repo.PathOf("tests", "Kptr.Repo.Tests", "Api");

    [Fact]
    public void PublicApi_EqualsItsBaseline()
    {
        var now = Describe();
        if (Environment.GetEnvironmentVariable("KPTR_UPDATE_API") == "1")
        {
            Write(now);
        }

        var baseline = Directory.GetFiles(ApiFolder, "*.txt")
            .ToDictionary(f => Path.GetFileNameWithoutExtension(f)!, File.ReadAllText);
        baseline.Keys.Should().BeEquivalentTo(now.Keys, $"each namespace has a file; accept the change with: {Accept}");
        foreach (var (ns, text) in now)
        {
            var added = Lines(text).Except(Lines(baseline[ns]));
            var gone = Lines(baseline[ns]).Except(Lines(text));
            text.Should().Be(
                baseline[ns],
                $"the public API of {ns} is written down;\nadded:\n{string.Join('\n', added)}\n"
                + $"gone:\n{string.Join('\n', gone)}\naccept the change with: {Accept}\n");
        }
    }

    [Theory]
    [InlineData(typeof(KernelModel)), InlineData(typeof(Testing.MapConformance))]
    [InlineData(typeof(Tracing.TraceReplay))]
    public void DocumentationFile_SpeaksOfPublicTypesOnly(Type ofPackage)
    {
        var assembly = ofPackage.Assembly;
        var types = assembly.GetExportedTypes().Select(t => t.FullName!.Replace('+', '.')).ToHashSet();
        var documented = XDocument.Load(Path.ChangeExtension(assembly.Location, ".xml")).Descendants("member")
            .Select(m => m.Attribute("name")!.Value).ToList();
        documented.Where(id => id[0] == 'T').Select(id => id[2..]).Should().BeEquivalentTo(types);
        documented.Where(id => id[0] != 'T').Select(id => id[2..].Split('(', '~')[0])
            .Should().OnlyContain(id => types.Contains(id.Substring(0, id.LastIndexOf('.'))));
    }

    [Fact]
    public void EveryPublicType_HasItsReason()
    {
        var page = File.ReadAllText(Repo.PathOf("docs", "api.md"));
        var said = Regex.Split(page, @"^## ", RegexOptions.Multiline).Skip(1).SelectMany(
            section => Regex.Matches(section, @"^\| (`.*?) \|", RegexOptions.Multiline)
                .SelectMany(row => Regex.Matches(row.Groups[1].Value, @"`(\w+)`"))
                .Select(name => $"{section.Split(':')[0]}.{name.Groups[1].Value}"));
        var types = typeof(KernelModel).Assembly.GetExportedTypes().Select(t => t.FullName!.Split('`')[0]).Distinct();
        said.Should().BeEquivalentTo(types);
    }

    private static Dictionary<string, string> Describe() =>
        typeof(KernelModel).Assembly.GetExportedTypes()
            .Concat(typeof(Testing.MapConformance).Assembly.GetExportedTypes())
            .Concat(typeof(Tracing.TraceReplay).Assembly.GetExportedTypes())
            .GroupBy(t => t.Namespace!)
            .ToDictionary(g => g.Key, g => g.ToArray().GeneratePublicApi(Options).ReplaceLineEndings("\n") + "\n");

    private static IEnumerable<string> Lines(string text) => text.Split('\n').Select(l => l.Trim());

    private static void Write(Dictionary<string, string> now)
    {
        Directory.Delete(ApiFolder, recursive: true);
        Directory.CreateDirectory(ApiFolder);
        foreach (var (ns, text) in now)
        {
            File.WriteAllText(Path.Combine(ApiFolder, ns + ".txt"), text);
        }
    }
}
