using System.Reflection;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Tests.Objects;

/// <summary>
/// Everything public of every kind of kernel object, after it is freed. A property either reports the look and gives
/// nothing, or tells what the wrapper knows without the object's memory; nothing writes.
/// </summary>
public class FreedObjectTests
{
    /// <summary>
    /// What a property tells once the object is freed, where that is neither nothing nor what it told before.
    /// </summary>
    private static readonly Dictionary<string, object?> Told = new()
    {
        ["IsFreed"] = true,
        ["Phase"] = TaskPhase.Freed,
        ["IsReleased"] = true,
        ["IsClosed"] = true,
        [nameof(Gadget.DestructorRuns)] = 1,
    };

    /// <summary>How to make and free one of each kind.</summary>
    private static readonly Dictionary<Type, Func<KernelCore, (KernelObject Object, Action Free)>> Makers = new()
    {
        [typeof(TaskStruct)] = core =>
        {
            var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
            return (task, () => End(core, task));
        },
        [typeof(MmStruct)] = core =>
        {
            var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
            return (task.Mm!, () => End(core, task));
        },
        [typeof(Cgroup)] = core =>
        {
            var cgroup = core.Cgroups.Create("web");
            return (cgroup, () => core.Cgroups.Remove(cgroup).Should().Be(Errno.None));
        },
        [typeof(FilesStruct)] = core =>
        {
            var task = core.Tasks.Fork(core.Tasks.Init);
            return (task.Files!, () => core.Tasks.Exit(task));
        },
        [typeof(KernelFile)] = core => new KernelFile(core, "/etc/passwd") is var file ? (file, file.Close) : default,
        [typeof(Sock)] = core => new Sock(core, new() { Protocol = 6, SourcePort = 80, DestPort = 9 }) is var sock
            ? (sock, sock.Close)
            : default,
        [typeof(BpfKey)] = core => Owned(new BpfKey(core, 7, isSystemKey: false)),
        [typeof(Cpumask)] = core => Owned(new Cpumask(core)),
        [typeof(CryptoCtx)] = core => Owned(new CryptoCtx(core, "cbc(aes)", new byte[16])),
        [typeof(NfConn)] = core => Owned(core.Conntrack.Allocate(new() { Protocol = 6, SourcePort = 1, DestPort = 2 })),
        [typeof(AllocatedObject)] = core => Owned(core.NewObject(AllocatedTypes.Node, BtfRecord.Empty)),
        [typeof(ProgObject)] = core => new ProgObject(core, "prog", "loader", static () => { }) is var prog
            ? (prog, () => prog.Put("loader"))
            : default,
        [typeof(Gadget)] = core => Owned(new Gadget(core, 42)),
    };

    /// <summary>A field of four bytes or more of each kind.</summary>
    private static readonly Dictionary<Type, string> Paths = new()
    {
        [typeof(TaskStruct)] = "pid",
        [typeof(MmStruct)] = "map_count",
        [typeof(Cgroup)] = "level",
        [typeof(FilesStruct)] = "next_fd",
        [typeof(KernelFile)] = "f_flags",
        [typeof(Sock)] = "sk_mark",
        [typeof(BpfKey)] = "key",
        [typeof(Cpumask)] = "cpumask",
        [typeof(CryptoCtx)] = "siv_len",
        [typeof(NfConn)] = "mark",
        [typeof(AllocatedObject)] = "kptr.count",
        [typeof(ProgObject)] = "kptr.refcnt",
        [typeof(Gadget)] = "serial",
    };

    public static TheoryData<Type> Kinds => [.. Makers.Keys];

    [Fact]
    public void Makers_KnowEveryKindOfObject()
    {
        var kinds = typeof(KernelObject).Assembly.GetTypes().Where(
            t => t.IsSubclassOf(typeof(KernelObject)) && !t.IsAbstract);
        Makers.Keys.Should().Contain(kinds);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Property_OfAFreedObject_ReportsTheLookOrTellsWhatTheWrapperKnows(Type kind)
    {
        using var core = Boot();
        var (obj, free) = Makers[kind](core);
        var properties = obj.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance);
        var before = properties.ToDictionary(p => p.Name, p => Value(p, obj));
        Free(core, obj, free);
        foreach (var property in properties)
        {
            var after = Value(property, obj);
            var faults = core.TakeFaults();
            if (faults.Count > 0)
            {
                var fault = faults.Should().ContainSingle(property.Name).Subject;
                fault.Code.Should().Be(DiagCode.RefUseAfterFree, property.Name);
                fault.Object.Should().Be(obj.Describe());
                fault.Site.File.Should().EndWith("FreedObjectTests.cs");
                IsNothing(after).Should().BeTrue($"{property.Name} is not to show {after}");
            }
            else if (Told.TryGetValue(property.Name, out var told))
            {
                after.Should().Be(told, property.Name);
            }
            else if (!IsNothing(after))
            {
                IsSame(after, before[property.Name]).Should().BeTrue(
                    $"{property.Name} needs none of the object's memory, or says so");
            }
        }

        ExpectPoison(core, obj);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Member_OfAFreedObject_WritesNothing(Type kind)
    {
        using var core = Boot();
        var (obj, free) = Makers[kind](core);
        Free(core, obj, free);
        var members = obj.GetType().GetMethods(BindingFlags.Public | BindingFlags.Instance).Where(
            m => m.DeclaringType != typeof(object));
        foreach (var method in members)
        {
            if (method.GetParameters().Any(p => p.ParameterType.IsByRefLike))
            {
                continue;
            }

            var bound = method.IsGenericMethod ? method.MakeGenericMethod(typeof(int)) : method;
            try
            {
                _ = bound.Invoke(obj, [.. bound.GetParameters().Select(p => Argument(core, obj, p))]);
            }
            catch (TargetInvocationException e) when (e.InnerException is ArgumentException && method.Name == "Write")
            {
                // The field is the model's own, which is said before anything else.
            }
        }

        core.TakeFaults().Should().OnlyContain(f =>
            f.Code == DiagCode.RefUseAfterFree || f.Code == DiagCode.RefCountUnderflow
            || f.Code == DiagCode.RefUsedAfterMove);
        ExpectPoison(core, obj);
        core.Quiesce();
        core.Ledger.AssertNoLeaks();
    }

    [Fact]
    public void Comm_OfAFreedTask_IsEmptyAndNamesTheLookTheTaskAndItsLastRelease()
    {
        using var core = Boot();
        var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
        var last = task.TryAcquire()!.Value;
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
        last.Release("Tracker.cs", 12);
        core.Quiesce();
        task.Comm.Should().BeEmpty();
        var fault = core.TakeFaults().Should().ContainSingle().Subject;
        fault.ToString().Should().Match(
            $"task_struct pid {task.Pid} (freed): comm is read after the object was freed, at FreedObjectTests.cs:*, "
            + "earlier at Tracker.cs:12 (RefUseAfterFree)");
    }

    [Fact]
    public void CryptoCtx_OnceFreed_EncryptsNothing()
    {
        using var core = Boot();
        var (obj, free) = Makers[typeof(CryptoCtx)](core);
        Free(core, obj, free);
        ((CryptoCtx)obj).TryEncrypt(new byte[16], new byte[16], new byte[16]).Should().BeFalse();
        core.TakeFaults().Should().ContainSingle().Which.Code.Should().Be(DiagCode.RefUseAfterFree);
    }

    [Fact]
    public void ObjectWhoseTextReadsItsMemory_IsReportedOnceAndNotForEver()
    {
        using var core = Boot();
        var talker = new Talker(core);
        KernelRef.Own(talker).Release();
        core.Quiesce();
        talker.Read<int>("usage.refs.counter").Should().Be(0);
        core.TakeFaults().Should().ContainSingle().Which.Object.Should().Be("talker 0");
        core.Ledger.WhoPins(talker).Object.Should().Be("talker 0");
        core.Faults.Should().BeEmpty();
    }

    [Fact]
    public void Count_KeptPastTheObject_IsZero()
    {
        using var core = Boot();
        var (task, free) = Makers[typeof(TaskStruct)](core);
        var (count, usage) = (task.Count, ((TaskStruct)task).Usage);
        (count.Value, usage.Value).Should().Be((2, 1));
        Free(core, task, free);
        (count.Value, usage.Value).Should().Be((0, 0));
        (task.Count.Value, ((TaskStruct)task).Usage.Value).Should().Be((0, 0));
        default(RefCount).Value.Should().Be(0);
    }

    [Fact]
    public void Comm_ReadWhileTasksDie_IsNeverPoison()
    {
        using var core = new KernelCore(BuiltinKernel.Spec(KernelProfile.Linux6_12), new() { QuarantineSlotsMax = 2 });
        var task = core.Tasks.Fork(core.Tasks.Init, "nginx");
        var isOver = false;
        var odd = new List<string>();
        var readers = Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            while (!Volatile.Read(ref isOver))
            {
                var comm = Volatile.Read(ref task).Comm;
                if (comm is not ("nginx" or ""))
                {
                    lock (odd)
                    {
                        odd.Add(comm);
                    }
                }
            }
        })).ToList();
        readers.ForEach(t => t.Start());
        for (var i = 0; i < 2000; i++)
        {
            var old = task;
            Volatile.Write(ref task, core.Tasks.Fork(core.Tasks.Init, "nginx"));
            End(core, old);
        }

        Volatile.Write(ref isOver, true);
        readers.ForEach(t => t.Join());
        core.Quiesce();
        odd.Should().BeEmpty();
        core.TakeFaults().Should().OnlyContain(f => f.Code == DiagCode.RefUseAfterFree);
    }

    private static KernelCore Boot() => new(
        BuiltinKernel.Spec(KernelProfile.Linux6_12, KfuncRegistry.Builtin, Gadget.Declaration),
        new() { Driver = DeferredDriver.Manual });

    private static (KernelObject Object, Action Free) Owned<T>(T obj)
        where T : KernelObject => (obj, () => KernelRef.Own(obj).Release());

    private static void End(KernelCore core, TaskStruct task)
    {
        core.Tasks.Exit(task);
        core.Tasks.Reap(task);
        core.Quiesce();
    }

    private static void Free(KernelCore core, KernelObject obj, Action free)
    {
        free();
        core.Quiesce();
        obj.IsFreed.Should().BeTrue();
        core.TakeFaults().Should().BeEmpty();
    }

    // Views and lazy sequences as what they show.
    private static object? Value(PropertyInfo property, KernelObject obj) => property.GetValue(obj) switch
    {
        RefCount count => count.Value,
        System.Collections.IEnumerable all and not string => all.Cast<object>().ToList(),
        var other => other,
    };

    private static bool IsNothing(object? value) => value switch
    {
        null or "" or false => true,
        List<object> list => list.Count == 0,
        CpuTime time => time == default,
        Enum or ValueType => Convert.ToInt64(value is Enum or IConvertible ? value : 1L, null) == 0,
        _ => false,
    };

    private static bool IsSame(object? after, object? before) =>
        after is List<object> now && before is List<object> then ? now.SequenceEqual(then) : Equals(after, before);

    private static object? Argument(KernelCore core, KernelObject obj, ParameterInfo parameter) =>
        parameter.ParameterType switch
        {
            var t when t == typeof(string) => Paths[obj.GetType()],
            var t when t == typeof(PidNamespace) => core.Tasks.InitNamespace,
            var t when t == typeof(Cgroup) => core.Cgroups.Root,
            var t when t == typeof(TimeSpan) => TimeSpan.FromSeconds(1),
            var t when t == typeof(VmArea) => new VmArea(0x1000, 0x2000, 0),
            var t when t == typeof(IEnumerable<int>) => new[] { 0, 1 },
            var t when t == typeof(object) => obj,
            var t when t == typeof(ulong) => 8ul,
            var t when t == typeof(uint) => 8u,
            var t when t == typeof(KernelFile) => new KernelFile(core, "/late"),
            var t when t.IsValueType => Convert.ChangeType(1, Nullable.GetUnderlyingType(t) ?? t, null),
            _ => null,
        };

    private static unsafe void ExpectPoison(KernelCore core, KernelObject obj)
    {
        core.Heap.TryFindRegion(obj.Address, 0, out var region).Should().BeTrue();
        region.State.Should().Be(HeapState.Quarantined);
        var memory = new ReadOnlySpan<byte>((void*)obj.Address, (int)region.Slab.AllocBytes);
        memory.IndexOfAnyExcept(HeapSlab.PoisonByte).Should().Be(-1, "nothing writes to freed memory");
    }

    private sealed class Talker(KernelCore core) : KernelObject(core, "talker", "usage.refs.counter")
    {
        public override string ToString() => $"talker {Read<int>("usage.refs.counter")}";
    }
}
