using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Kptr.Verifier;

namespace Kptr.Tests.Golden;

/// <summary>Holds the rules that <c>docs/diagnostics.md</c> names against programs that are refused.</summary>
public class MessageRulesTests
{
    private static readonly string[] s_versions = ["6.1", "6.12", "7.2"];
    private static readonly Lazy<IReadOnlyList<MessageRule>> Rules = new(MessageRules.Read);

    // Where the JIT may put a method into its caller, the stack does not show all of them.
    private static readonly bool SeesAllMethods = typeof(BpfVerifier).Assembly.GetCustomAttributes(false)
        .OfType<DebuggableAttribute>().Any(a => a.IsJITOptimizerDisabled);

    public static TheoryData<string> Programs { get; } = [.. Directory
        .GetFiles(TestData.Path("verifier"), "*.txt", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(TestData.Path("verifier"), f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Rule_OfARefusedProgram_IsAMethodThatRefusedIt(string program)
    {
        var file = VerdictFile.Read(TestData.Path("verifier", program));
        foreach (var asked in file.OtherKernels.Select(file.Under).Prepend(file))
        {
            foreach (var (message, stack) in RefusalsOf(asked))
            {
                var rules = Rules.Value.Where(r => MessageText.Pattern(r.Message).IsMatch(message)).ToList();
                rules.Should().NotBeEmpty("\"{0}\" is a message of the verifier", message);
                if (SeesAllMethods)
                {
                    rules.Should().Contain(r => stack.Contains(r.RefusedIn), "one of them says \"{0}\"", message);
                }
            }
        }
    }

    /// <summary>Who reads a message in a real kernel's log finds it on the page, or why it is not there.</summary>
    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12")]
    [InlineData("7.2")]
    public void Message_OfARealKernel_IsOnThePage_OrUnsaidForAReason(string version)
    {
        var known = Rules.Value.Select(r => r.Message).Concat(MessageRules.Unsaid.Select(u => u.Message)).Distinct()
            .ToLookup(m => m.StartsWith(MessageText.Hole, StringComparison.Ordinal) ? '\0' : m[0]);
        MessagesOf(version).Where(m => !known['\0'].Concat(known[m[0]]).Any(k => IsSaid(k, m))).Should().BeEmpty();
    }

    [Fact]
    public void UnsaidMessages_AreSaidByAKernel_AndHaveAReason()
    {
        var all = s_versions.SelectMany(MessagesOf).ToHashSet();
        all.RemoveWhere(m => Rules.Value.Any(r => IsSaid(r.Message, m)));
        MessageRules.Unsaid.Should().OnlyContain(
            u => u.Reason.Length > 10 && all.Any(m => IsSaid(u.Message, m)), "others are said by now");
    }

    private static bool IsSaid(string known, string message) =>
        message.StartsWith(known.Split(MessageText.Hole, 2)[0], StringComparison.Ordinal)
        && MessageText.Pattern(known).IsMatch(message);

    /// <summary>The last lines of the logs of the selftests that a kernel refused.</summary>
    private static HashSet<string> MessagesOf(string version)
    {
        var file = Path.Combine(
            TestData.Root, "tests", "Kptr.KernelSelftests", "facts", $"verdicts-{version}.tsv");
        var rows = File.ReadLines(file).Select(l => l.Split('\t')).ToList();
        var head = rows[0];
        int verdict = Array.IndexOf(head, "verdict"), error = Array.IndexOf(head, "error");
        return [.. rows.Where(r => r[verdict] == "reject").SelectMany(r => r[error].Split("\\n"))
            .Select(m => m.Trim()).Where(m => m.Length > 0)];
    }

    [Fact]
    public void Rules_SayMoreThanHoles() => Rules.Value.Should().OnlyContain(r => MessageText.HasWords(r.Message))
        .And.HaveCountGreaterThan(400).And.OnlyContain(r => r.Method.Length > 0);

    /// <summary>Messages of refusals, and the methods that were running when they were made.</summary>
    private static List<(string Message, HashSet<string> Methods)> RefusalsOf(VerdictFile file)
    {
        var refusals = new List<(string, HashSet<string>)>();
        var thread = Environment.CurrentManagedThreadId;
        void Note(object? sender, FirstChanceExceptionEventArgs args)
        {
            if (args.Exception is RejectException && Environment.CurrentManagedThreadId == thread)
            {
                refusals.Add((args.Exception.Message,
                    [.. new StackTrace().GetFrames().Select(f => NameOf(f.GetMethod()?.Name ?? ""))]));
            }
        }

        AppDomain.CurrentDomain.FirstChanceException += Note;
        try
        {
            file.Verify();
        }
        finally
        {
            AppDomain.CurrentDomain.FirstChanceException -= Note;
        }

        return refusals;
    }

    /// <summary>The method's name; that of the one around it for a local function or a lambda.</summary>
    private static string NameOf(string method) =>
        method.StartsWith('<') ? method[1..method.IndexOf('>', StringComparison.Ordinal)]
        : method.StartsWith("get_", StringComparison.Ordinal) ? method[4..] : method;
}
