using System.Diagnostics;
using System.Globalization;
using System.Text;
using Kptr.Cli.Run;
using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Tests.Shared;

namespace Kptr.Cli.Tests;

/// <summary>
/// Scenarios made at random: each is played, or refused with file and line, and nothing is lost in the model.
/// <c>KPTR_FUZZ_SCENARIOS</c> says how many, 100,000 for a night; <c>KPTR_FUZZ_SEED</c> where to start.
/// </summary>
public sealed class ScenarioFuzzTests : IDisposable
{
    private const int ScenariosDefault = 60;
    private const int StepsMax = 25;
    private static readonly TimeSpan HangAfter = TimeSpan.FromMinutes(3);

    private static readonly string[] Verbs =
    [
        "fork", "thread", "exec", "cpu", "exit", "reap", "cgroup", "move", "remove", "raise", "call", "update",
        "delete", "test", "advance", "quiesce", "fork", "fork", "exit", "reap", "thread",
    ];

    private static readonly string[] Words =
    [
        "1", "2", "3", "10", "11", "12", "0", "-1", "4194303", "4194304", "0xffffffffffffffff", "9223372036854775807",
        "bash", "a-name-of-more-than-fifteen-bytes", "é", "\u0000", "/", "/web", "/web/api", "//", "/../x", "web", "",
        "5ms", "1s", "0ns", "106751991167s", "1e9s", "99999999999h", ".5s", "parent=10", "parent=x", "cgroup=/web",
        "uid=33", "uid=-1", "system=1ms", "code=9", "code=99999999999", "x", "x00", "x0000000a", "x0a000000",
        "x0000000000000000000000000000000000000000", "tasks", "summary", ".bss", ".rodata", "on_newtask", "summarise",
        "sched_switch", "sched_process_exit", "task_newtask", "file_open", "bpf_fentry_test1", "task:10", "@10", "@1",
        "#", "=", "a=b",
    ];

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Scenario_IsPlayedOrRefused_AndNothingIsLost()
    {
        var first = NightlyOption.Number("KPTR_FUZZ_SEED", 1);
        var played = 0;
        for (var seed = first; seed < first + NightlyOption.Number("KPTR_FUZZ_SCENARIOS", ScenariosDefault); seed++)
        {
            var text = Make(new Random(seed));
            var began = Stopwatch.GetTimestamp();
            try
            {
                played += Play(text);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}:\n{text}", e);
            }

            Stopwatch.GetElapsedTime(began).Should().BeLessThan(HangAfter, $"seed {seed} ends:\n{text}");
        }

        played.Should().BePositive("some steps can be done");
    }

    // Steps that cannot be done are taken out one by one, so that the rest is played too.
    private int Play(string text)
    {
        var lines = text.Split('\n').ToList();
        while (true)
        {
            var file = _folder.Write("steps.txt", Encoding.UTF8.GetBytes(string.Join('\n', lines)));
            using var session = new RunSession(KptrTool.TrackerObject, new() { Driver = DeferredDriver.Manual }, []);
            session.Attach();
            var bad = Refused(file, session);
            session.Close();
            session.Lost.Should().BeEmpty();
            if (bad.Count == 0)
            {
                return lines.Count;
            }

            foreach (var at in bad.OrderDescending())
            {
                lines.RemoveAt(at);
            }
        }
    }

    private static List<int> Refused(string file, RunSession session)
    {
        try
        {
            new ScenarioPlayer(session.Kernel, session.Object).Play(Scenario.Read(file));
            return [];
        }
        catch (DiagnosticException e)
        {
            return [.. e.Diagnostics.Select(d => LineOf(d.File!, file))];
        }
    }

    private static int LineOf(string place, string file)
    {
        place.Should().StartWith($"{file}:");
        return int.Parse(place.AsSpan(file.Length + 1), CultureInfo.InvariantCulture) - 1;
    }

    private static string Make(Random random)
    {
        var text = new StringBuilder();
        for (var left = random.Next(1, StepsMax + 1); left > 0; left--)
        {
            text.Append(Verbs[random.Next(Verbs.Length)]);
            for (var words = random.Next(0, 4); words > 0; words--)
            {
                text.Append(' ').Append(Words[random.Next(Words.Length)]);
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
