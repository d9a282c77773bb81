using System.Text;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Testing;
using Kptr.Tracing;

namespace Kptr.ApiFuzz;

/// <summary>
/// Arguments for the kit and for traces: budgets that end in seconds, as the caller's own is what bounds such a call,
/// factories that make something, and traces that begin as one of each format does.
/// </summary>
internal sealed class KitValues(World world, Random random)
{
    private static readonly string[] s_traces =
    [
        "nginx    12 [000]     1.500000: sched:sched_process_exec: filename=/bin/x pid=12 old_pid=12\n",
        "# tracer: nop\n    bash-12    [001] d..2.     2.000001: sched_process_exit: comm=bash pid=12 prio=120\n",
        """[{"name": "sched_process_free", "ts": 3.5, "pid": 1, "args": {"comm": "x", "pid": 3}}]""",
        """{"type": "printf", "data": "4000 sched_process_exit pid=3 comm=x\n"}""" + "\n",
        "",
        "\u0017\u0008\u0044tracing6\0",
    ];

    internal object? Make(Type type) =>
        type == typeof(ConformanceOptions) ? new ConformanceOptions
        {
            Seed = random.Next(),
            Scripts = Few(),
            StepsMax = Few(),
            Rounds = Few(),
            HangAfter = TimeSpan.FromSeconds(Few() * 5),
            Only = random.Next(3) > 0 ? [] : [SomeCheck()],
            Policies = random.Next(4) > 0 ? new ConformanceOptions().Policies : [],
        }
        : type == typeof(ProgramTestOptions) ? new ProgramTestOptions
        {
            Seed = random.Next(),
            Scripts = Few(),
            StepsMax = Few(),
            Fuel = Few() * 1000,
            Only = random.Next(3) > 0 ? [] : [SomeCheck()],
            Faults = random.Next(2) == 0 ? null : [],
            Kernel = world.Pick(typeof(KernelModelOptions), random) as KernelModelOptions ?? new(),
        }
        : type == typeof(InterleavingOptions) ? new InterleavingOptions
        {
            Seed = random.Next(),
            Preemptions = Few(),
            Interrupts = Few(),
            HeldStores = Few(),
            Faults = Few(),
            RandomSchedules = Few(),
            SchedulesMax = Few() * 10,
            StepsMax = Few() * 100,
            TimeMax = TimeSpan.FromSeconds(Few()),
        }
        : type == typeof(Stream) ? Trace()
        : type == typeof(IEnumerable<TraceEvent>) && random.Next(2) == 0 ? world.Pick(typeof(TraceReader), random)
        : null;

    /// <summary>A factory that makes what is asked for; null where any delegate will do.</summary>
    internal Delegate? Handler(Type type) => random.Next(4) == 0 ? null
        : type == typeof(Func<KernelCore, BpfMap>) ? Map()
        : type == typeof(Func<KernelCore, Widget>) ? (KernelCore core) => new Widget(core)
        : type == typeof(Func<KernelCore, Cpumask>) ? (KernelCore core) => new Cpumask(core)
        : type == typeof(Func<BpfObject>)
            && world.Pick(typeof(ReadOnlyMemory<byte>), random) is ReadOnlyMemory<byte> file
            ? (Func<BpfObject>)(() => BpfObject.Open(file, "fuzz"))
        : type == typeof(Func<List<int>>) ? static () => new List<int>()
        : type == typeof(Action<List<int>>) ? static (List<int> shared) => shared.Add(1)
        : null;

    private Func<KernelCore, BpfMap> Map() => random.Next(3) switch
    {
        0 => core => new HashMap<int, TaskValue>(core, 4),
        1 when world.Pick(typeof(BpfMap), random) is BpfMap another => _ => another,
        1 => core => new OpenMap(core, StructSpec.Of<int, TaskValue>(core, "open", Specs.BpfMapType.Hash, 4)),
        _ => core => new ArrayMap<LockedValue>(core, 3),
    };

    // Mostly a budget that tries something, at times one that no call should take.
    private int Few() => random.Next(-1, 4);

    private static string SomeCheckOf(IReadOnlyList<ConformanceCheck> checks, Random random) =>
        checks[random.Next(checks.Count)].Name;

    private string SomeCheck() => random.Next(4) switch
    {
        0 => "no such check",
        1 => SomeCheckOf(MapConformance.Checks, random),
        2 => SomeCheckOf(ObjectConformance.Checks, random),
        _ => SomeCheckOf(ProgramTest.Checks, random),
    };

    private MemoryStream Trace()
    {
        var bytes = Encoding.Latin1.GetBytes(s_traces[random.Next(s_traces.Length)]);
        for (var i = random.Next(4); i > 0 && bytes.Length > 0; i--)
        {
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        }

        return new(bytes, writable: false);
    }
}
