using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Execution;
using Kptr.KernelSelftests.Testmod;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.KernelSelftests.Enact;

/// <summary>Where one test is acted: a kernel of its own, and the process that the test is.</summary>
internal sealed class Scene : IDisposable
{
    private const int SysCallBytes = 64;

    // No kernel runs a program in the first nanosecond after its start.
    private static readonly TimeSpan s_upTime = TimeSpan.FromSeconds(1);
    private readonly string _objects;
    private readonly List<BpfObject> _loaded = [];
    private readonly List<BpfLink> _links = [];

    internal Scene(KernelSpec kernel, string objects, ExecEngine engine)
    {
        _objects = objects;
        Kernel = new(new()
        {
            Kernel = kernel, Profile = kernel.Profile, Kfuncs = TestModule.Kfuncs, Driver = DeferredDriver.Manual,
            Engine = engine, LedgerLevel = LedgerLevel.Sites,
        });
        Kernel.VirtualClock.Advance(s_upTime);
        Me = Kernel.Tasks.Fork(Kernel.Tasks.Init, "test_progs");
    }

    internal KernelModel Kernel { get; }

    /// <summary>The process that the test is.</summary>
    internal TaskStruct Me { get; }

    /// <summary>CPUs that there may be (<c>libbpf_num_possible_cpus</c>).</summary>
    internal int CpuCount => Kernel.PossibleCpus.Length;

    /// <summary>An Ethernet frame with an IPv4 and a TCP header, as the tests' <c>pkt_v4</c>.</summary>
    internal static byte[] PacketV4()
    {
        const int magic = 123;
        var packet = new byte[54];
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(12), 0x0800);
        packet[14] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(16), magic);
        packet[23] = 6;
        packet[46] = 5 << 4;
        BinaryPrimitives.WriteUInt16LittleEndian(packet.AsSpan(52), magic);
        return packet;
    }

    public void Dispose() => Kernel.Dispose();

    /// <summary>Opens and loads an object; it goes at the end of the scene, or by <see cref="Close"/>.</summary>
    /// <param name="name">Its file's name.</param>
    /// <param name="prepare">What is set between opening and loading.</param>
    /// <param name="programs">Programs to load besides those that load by themselves.</param>
    internal BpfObject Load(string name, Action<BpfObject>? prepare = null, params ReadOnlySpan<string> programs)
    {
        var wanted = programs.ToArray();
        return LoadOnly(name, prepare, p => p.Autoload || wanted.Contains(p.Name));
    }

    /// <summary>As <see cref="Load"/>, with those programs only that are asked for.</summary>
    internal BpfObject LoadOnly(string name, Action<BpfObject>? prepare, Func<ProgSpec, bool> programs)
    {
        var obj = BpfObject.From(SelftestObject.Ready(SpecOf(name)));
        _loaded.Add(obj);
        prepare?.Invoke(obj);
        return obj.Load(Kernel, programs);
    }

    /// <summary>An object as it is read.</summary>
    internal ObjectSpec SpecOf(string name) =>
        ObjectReader.TryRead(Path.Combine(_objects, name + ".bpf.o"), new DiagSink())
            ?? throw new UnexpectedException($"{name} cannot be opened");

    /// <summary>Destroys an object, as a skeleton is, and waits for all that is put off.</summary>
    internal void Close(BpfObject obj)
    {
        obj.Dispose();
        Kernel.Quiesce();
    }

    /// <summary>Attaches one program until the scene's end, or until <see cref="Detach"/>.</summary>
    internal void Attach(BpfObject obj, string program) => _links.Add(obj.Programs[program].Attach());

    /// <summary>Attaches all programs of an object that can be attached by their sections.</summary>
    internal void AttachAll(BpfObject obj)
    {
        foreach (var program in obj.Programs.Values.Where(p => p.Spec.AttachTarget is { Length: > 0 }))
        {
            _links.Add(program.Attach());
        }
    }

    /// <summary>Detaches everything.</summary>
    internal void Detach()
    {
        _links.ForEach(l => l.Dispose());
        _links.Clear();
    }

    /// <summary>Runs a program once (<c>bpf_prog_test_run_opts</c>) and holds what it returns against a
    /// number.</summary>
    internal void Run(BpfObject obj, string program, int expected = 0, byte[]? packet = null)
    {
        using var me = Kernel.Tasks.Run(Me);
        var prog = obj.Programs[program];
        var (returned, fault) = prog.Spec.Type == ProgType.Syscall
            ? Said(prog.TestRun(Span<byte>.Empty))
            : Said(prog.TestRun(new TestInput { Packet = packet ?? PacketV4() }));
        Expect(fault is null, $"{program}: {fault}");
        Expect(program + " returns", (int)returned, expected);

        static (long, RunFault?) Said<T>(T result) => result switch
        {
            ProgramResult r => (r.ReturnValue, r.Fault),
            TestOutput o => (o.ReturnValue, o.Fault),
            _ => throw new UnexpectedException("no result"),
        };
    }

    /// <summary>The process makes a system call without arguments: <c>sys_enter</c>, its tracepoint, the function,
    /// <c>sys_exit</c>.</summary>
    internal void SysCall(string name, TaskStruct? by = null)
    {
        using var me = Kernel.Tasks.Run(by ?? Me);
        Kernel.DeclareHook($"syscalls/sys_enter_{name}");
        Kernel.DeclareHook($"__x64_sys_{name}");
        Kernel.Raise("sys_enter", 0, 0);
        Kernel.RaiseEvent($"syscalls/sys_enter_{name}", new byte[SysCallBytes]);
        Kernel.Call($"__x64_sys_{name}", [0]);
        Kernel.Raise("sys_exit", 0, 0);
        Kernel.Quiesce();
    }

    /// <summary>The functions that Linux calls where a tracing program is run for a test
    /// (<c>bpf_prog_test_run_tracing</c>).</summary>
    internal void CallTestFunctions()
    {
        using var me = Kernel.Tasks.Run(Me);
        var next = 1UL;
        for (var count = 1; count <= 6; count++)
        {
            var args = new ulong[count];
            for (var i = 0; i < count; i++)
            {
                args[i] = next++;
            }

            Kernel.Call($"bpf_fentry_test{count}", args, () => args.Sum(a => (long)a));
        }
    }

    /// <summary>The process forks a child that exits at once, and waits for it.</summary>
    internal void ForkAndWait()
    {
        TaskStruct child;
        using (Kernel.Tasks.Run(Me))
        {
            child = Kernel.Tasks.Fork(Me, "child");
        }

        Kernel.Tasks.Exit(child);
        Kernel.Tasks.Reap(child);
        Kernel.Quiesce();
    }

    internal static T Get<T>(BpfObject obj, string variable)
        where T : unmanaged => obj.Variables[variable].Get<T>();

    internal static void Set<T>(BpfObject obj, string variable, T value)
        where T : unmanaged => obj.Variables[variable].Set(value);

    internal static void Expect(string what, long actual, long expected) =>
        Expect(actual == expected, $"{what} {actual}, expected {expected}");

    internal static void Expect(string what, Errno actual, Errno expected = Errno.None) =>
        Expect(actual == expected, $"{what} {actual}, expected {expected}");

    /// <summary>A number among an object's variables, of four bytes unless its type is longer.</summary>
    internal static void ExpectValue(BpfObject obj, string variable, long expected)
    {
        var bytes = obj.Variables[variable].GetBytes();
        var actual = bytes.Length switch
        {
            1 => bytes[0],
            2 => BitConverter.ToInt16(bytes),
            4 => BitConverter.ToInt32(bytes),
            _ => BitConverter.ToInt64(bytes),
        };
        Expect(variable, actual, expected);
    }

    internal static void Expect(bool isTrue, string otherwise)
    {
        if (!isTrue)
        {
            throw new UnexpectedException(otherwise);
        }
    }

    /// <summary>Bytes of a value.</summary>
    internal static byte[] Bytes<T>(params ReadOnlySpan<T> values)
        where T : unmanaged => MemoryMarshal.AsBytes(values).ToArray();

    /// <summary>
    /// Ends the scene: objects and links go, and the counts of everything are what they were before the test.
    /// </summary>
    internal void End()
    {
        Detach();
        _loaded.ForEach(o => o.Dispose());
        Kernel.Tasks.Exit(Me);
        Kernel.Tasks.Reap(Me);
        Kernel.Quiesce();
        var faults = Kernel.TakeFaults();
        Expect(faults.Count == 0, string.Join("; ", faults));
        Kernel.Ledger.AssertAllReturned();
        Expect(Me.IsFreed, "the process is still held");
        Expect("refs of the module's object", TestModule.In(Kernel).RefObject.Count.Value, 1);
    }
}
