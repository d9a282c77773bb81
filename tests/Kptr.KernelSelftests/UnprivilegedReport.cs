using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.KernelSelftests;

/// <summary>
/// Judges programs as a loader without capabilities would, and compares with what the selftests' authors annotated
/// (<c>__success_unpriv</c>, <c>__failure_unpriv</c>, <c>__msg_unpriv</c>).
/// </summary>
public static class UnprivilegedReport
{
    private const string SuccessTag = "test_expect_success_unpriv";
    private const string FailureTag = "test_expect_failure_unpriv";
    private const string MessageTag = "test_expect_msg_unpriv=";
    private const uint AnyAlignment = 1u << 1;

    public static int Run(Options options)
    {
        var kernel = Kernel.Read(options);
        int agree = 0, falseAccepts = 0, all = 0, messages = 0, withMessages = 0;
        foreach (var path in options.Objects())
        {
            var name = Options.NameOf(path);
            if (ObjectReader.TryRead(path, new DiagSink()) is not { } read)
            {
                continue;
            }

            var tags = TagsOf(read);
            var flags = LoadFlagTags.Read(read);
            foreach (var prog in SelftestObject.Link(path, read, null, kernel).Where(
                p => tags.ContainsKey(p.Name) && p.LinkFault is null))
            {
                var expected = tags[prog.Name];
                var (set, clear) = flags.GetValueOrDefault(prog.Name);
                var result = BpfVerifier.Verify(
                    prog.WithFlags(set).WithFlags(0, clear | AnyAlignment), kernel, new VerifyOptions
                    {
                        Privileged = false,
                        LogLevel = expected.Messages.Count > 0 ? 2 : 0,
                    });
                all++;
                var agrees = result.IsAccepted == expected.Loads && result.Verdict != Verdict.Unsupported;
                agree += agrees ? 1 : 0;
                falseAccepts += result.IsAccepted && !expected.Loads ? 1 : 0;
                withMessages += expected.Messages.Count > 0 ? 1 : 0;
                var missing = AnnotatedMessages.FirstMissing(result.Log, [.. expected.Messages]);
                messages += expected.Messages.Count > 0 && agrees && missing is null ? 1 : 0;
                if (!agrees || missing is not null)
                {
                    Console.WriteLine(
                        (agrees ? "message" : result.IsAccepted ? "FALSE-ACCEPT" : "false-" + result.Verdict)
                        + $"\t{name}/{prog.Name}\t{result.Message}\t<> {missing}");
                }
            }
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"unprivileged: {agree}/{all} agree, false accepts {falseAccepts}, "
                + $"all annotated messages {messages}/{withMessages}"));
        return falseAccepts == 0 ? 0 : 1;
    }

    private static Dictionary<string, (bool Loads, List<string> Messages)> TagsOf(ObjectSpec spec)
    {
        var found = new Dictionary<string, (bool Loads, List<string> Messages)>();
        var messages = new Dictionary<string, List<string>>();
        foreach (var (function, text) in TestTags.Of(spec))
        {
            var of = messages.TryGetValue(function, out var known) ? known : messages[function] = [];
            if (text.StartsWith(SuccessTag, StringComparison.Ordinal)
                || text.StartsWith(FailureTag, StringComparison.Ordinal))
            {
                found[function] = (text.StartsWith(SuccessTag, StringComparison.Ordinal), of);
            }
            else if (text.StartsWith(MessageTag, StringComparison.Ordinal))
            {
                of.Add(text[MessageTag.Length..].Split('=', 2)[^1]);
            }
        }

        return found;
    }
}
