using System.Globalization;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;

namespace Kptr.Cli.Run;

/// <summary>Lets a scenario happen in a model.</summary>
internal sealed class ScenarioPlayer(KernelModel kernel, BpfObject obj)
{
    /// <summary>Does all steps.</summary>
    /// <exception cref="DiagnosticException">A step cannot be done; names the file and the line.</exception>
    public void Play(Scenario scenario)
    {
        foreach (var step in scenario.Steps)
        {
            try
            {
                Do(step);
            }
            catch (Exception e) when (e is ScenarioException or ArgumentException or InvalidOperationException
                or NotSupportedException)
            {
                throw new DiagnosticException(
                    [Scenario.FaultAt(scenario.File, step.Line, $"{step.Verb}: {e.Message}")]);
            }
        }
    }

    private void Do(ScenarioStep step)
    {
        var words = step.Words;
        switch (step.Verb)
        {
            case "fork":
                Fork(step);
                break;
            case "thread":
                var leader = TaskAt(words[1]);
                kernel.Tasks.Fork(leader, new ForkOptions
                {
                    Pid = PidOf(words[0]), Tgid = leader.Tgid, Comm = words.Count > 2 ? words[2] : leader.Comm,
                    Flags = CloneFlags.Thread | CloneFlags.Vm,
                });
                break;
            case "exec":
                kernel.Tasks.Exec(TaskAt(words[0]), words[1]);
                break;
            case "cpu":
                TaskAt(words[0]).AddCpuTime(
                    Time(words[1]), step.Options.TryGetValue("system", out var system) ? Time(system) : TimeSpan.Zero);
                break;
            case "exit":
                kernel.Tasks.Exit(
                    TaskAt(words[0]), step.Options.TryGetValue("code", out var code) ? (int)Number(code) : 0);
                break;
            case "reap":
                Require(kernel.Tasks.Reap(TaskAt(words[0])), "it has not exited, or somebody reaped it");
                break;
            case "cgroup":
                kernel.Cgroups.GetOrCreate(words[0]);
                break;
            case "move":
                Require(kernel.Cgroups.Attach(CgroupAt(words[1]), TaskAt(words[0])));
                break;
            case "remove":
                Require(kernel.Cgroups.Remove(CgroupAt(words[0])));
                break;
            default:
                DoWithPrograms(step);
                break;
        }
    }

    private void DoWithPrograms(ScenarioStep step)
    {
        var words = step.Words;
        switch (step.Verb)
        {
            case "raise":
                kernel.Raise(words[0], [.. words.Skip(1).Select(Argument)]);
                break;
            case "call":
                kernel.Call(words[0], [.. words.Skip(1).Select(Argument)]);
                break;
            case "update":
                var map = MapAt(words[0]);
                Require(map.UpdateElem(Bytes(words[1], map.KeySize), Bytes(words[2], map.UserValueSize)));
                break;
            case "delete":
                var from = MapAt(words[0]);
                Require(from.DeleteElem(Bytes(words[1], from.KeySize)));
                break;
            case "test":
                ProgramAt(words[0]).TestRun(words.Count > 1 ? Bytes(words[1], null) : []);
                break;
            case "advance":
                kernel.VirtualClock.Advance(Time(words[0]));
                break;
            default:
                kernel.Quiesce();
                break;
        }
    }

    private void Fork(ScenarioStep step)
    {
        var parent = step.Options.TryGetValue("parent", out var pid) ? TaskAt(pid) : kernel.Tasks.Init;
        var cgroup = step.Options.TryGetValue("cgroup", out var path) ? CgroupAt(path) : null;
        var task = kernel.Tasks.Fork(parent, new ForkOptions
        {
            Pid = PidOf(step.Words[0]), Comm = step.Words.Count > 1 ? step.Words[1] : parent.Comm,
        });
        if (step.Options.TryGetValue("uid", out var uid))
        {
            task.SetUser((uint)Number(uid), (uint)Number(uid));
        }

        if (cgroup is not null)
        {
            Require(kernel.Cgroups.Attach(cgroup, task));
        }
    }

    private TaskStruct TaskAt(string pid) => kernel.Tasks.Find(PidOf(pid))
        ?? throw new ScenarioException($"there is no task with pid {pid}");

    private Cgroup CgroupAt(string path) => kernel.Cgroups.Find(path)
        ?? throw new ScenarioException($"there is no cgroup \"{path}\"; the step cgroup makes it");

    private BpfMap MapAt(string name) => obj.Maps.GetValueOrDefault(name)
        ?? throw new ScenarioException($"there is no map \"{name}\"; {NearNames.Text(name, obj.Maps.Keys)}");

    private BpfProgram ProgramAt(string name) => obj.Programs.GetValueOrDefault(name)
        ?? throw new ScenarioException($"there is no program \"{name}\"; {NearNames.Text(name, obj.Programs.Keys)}");

    // @PID is the address of a task, @/PATH that of a cgroup.
    private ulong Argument(string word) => !word.StartsWith('@') ? (ulong)Number(word)
        : word.StartsWith("@/", StringComparison.Ordinal) ? CgroupAt(word[1..]).Address
        : TaskAt(word[1..]).Address;

    private static int PidOf(string word) => Number(word) is > 0 and <= TaskTable.PidMax and var pid
        ? (int)pid : throw new ScenarioException($"{word} is no pid");

    private static long Number(string word)
    {
        var isHex = word.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return isHex
            ? ulong.TryParse(word.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits)
                ? (long)bits : throw new ScenarioException($"{word} is no number")
            : long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? number : throw new ScenarioException($"{word} is no number");
    }

    private static TimeSpan Time(string word) =>
        DurationOption.TryParse(word, out var time) && time >= TimeSpan.Zero ? time
            : throw new ScenarioException($"{word} is no time; write 5s, 10ms, 3us");

    // A number fills the bytes from the low end; x and hex digits are bytes.
    private static byte[] Bytes(string word, int? sizeBytes)
    {
        if (word.StartsWith('x'))
        {
            try
            {
                var bytes = Convert.FromHexString(word.AsSpan(1));
                return sizeBytes is null || bytes.Length == sizeBytes ? bytes : throw new ScenarioException(
                    $"{word} has {bytes.Length} bytes, and {sizeBytes} are needed");
            }
            catch (FormatException)
            {
                throw new ScenarioException($"{word} is no row of hex digits behind an x");
            }
        }

        var number = Number(word);
        var size = sizeBytes ?? sizeof(ulong);
        if (size < sizeof(ulong) && number >> (size * 8) is not (0 or -1))
        {
            throw new ScenarioException($"{word} does not fit into {size} bytes");
        }

        var made = new byte[size];
        for (var i = 0; i < size; i++)
        {
            made[i] = (byte)(number >> Math.Min(i * 8, 63)); // the sign, behind 8 bytes
        }

        return made;
    }

    private static void Require(Errno errno) => Require(errno == Errno.None, $"{errno}");

    private static void Require(bool isDone, string why)
    {
        if (!isDone)
        {
            throw new ScenarioException(why);
        }
    }
}
