using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;
using Kptr.Tests.Kfuncs;
using Kptr.Verifier;

namespace Kptr.Tests.Model;

/// <summary>What every public type says of itself: it ends, does not throw, and is more than the type's name.</summary>
public class TextTests : RunTestBase
{
    private const int LengthMax = 20_000; // a snapshot lists every reference
    private const int PerTypeMax = 4;

    /// <summary>Types that no walk from a running kernel meets, and why.</summary>
    private static readonly Dictionary<Type, string> s_unmet = new()
    {
        [typeof(InvariantException)] = "a bug of ours",
        [typeof(LedgerLeakException)] = "says each leak in its message",
        [typeof(KernelFaultException)] = "says each fault in its message",
        [typeof(ProgramFaultException)] = "says what the program did in its message",
        [typeof(MapCreateException)] = "says what is refused in its message",
        [typeof(DiagnosticException)] = "says each diagnostic in its message",
        [typeof(ProgramRejectedException)] = "says each program in its message",
        [typeof(RhashMap)] = "a map of 7.2; says what every map says",
        [typeof(RhashMap<,>)] = "a map of 7.2; says what every map says",
        [typeof(HashOfMaps<>)] = "says what every map says",
        [typeof(LocalStorageMap<,>)] = "says what every map says",
        [typeof(LedgerDiff)] = "a line for each change, and nothing where there is none",
        [typeof(StructOpsInstance)] = "needs a kernel that has the struct",
        [typeof(BtfExt)] = "read inside of an object",
        [typeof(KfuncDeclaration)] = "kept inside of a registry",
        [typeof(RingRecord<>)] = "made where a record is read",
        [typeof(ForkOptions)] = "says which pid and process, and is handed in",
    };

    private static IEnumerable<Type> PublicTypes => typeof(KernelModel).Assembly.GetExportedTypes()
        .Where(t => t is { IsEnum: false, IsInterface: false, IsAbstract: false, IsByRefLike: false }
            && !typeof(Delegate).IsAssignableFrom(t));

    [Fact]
    public void GeneratedTexts_OfRecords_GoInNoCircle()
    {
        var generated = typeof(KernelModel).Assembly.GetTypes().Where(HasGeneratedText).ToHashSet();
        generated.Should().NotBeEmpty();
        foreach (var type in generated)
        {
            List<string> trail = [];
            Leads(type, type, generated, [], trail).Should().BeFalse(
                $"the text of {type.Name} contains itself: {string.Join(" > ", trail)}");
        }
    }

    [Fact]
    public void EveryPublicType_SaysWhatItIs()
    {
        using var kernel = NewKernel();
        var met = Walk(Roots(kernel));
        foreach (var type in PublicTypes.Where(t => t is { IsValueType: true, ContainsGenericParameters: false }))
        {
            met.TryAdd(type, []);
            met[type].Add(RuntimeHelpers.GetUninitializedObject(type));
        }

        var wrong = met.Where(m => !typeof(Delegate).IsAssignableFrom(m.Key))
            .SelectMany(m => m.Value.Select(o => Fault(m.Key, o))).OfType<string>().Distinct();
        wrong.Should().BeEmpty();
        PublicTypes.Where(t => !met.ContainsKey(t) && !s_unmet.ContainsKey(t)).Should().BeEmpty(
            "the walk meets every type");
    }

    [Fact]
    public void FreedAndDisposedThings_StillSayWhatTheyAre()
    {
        var kernel = NewKernel();
        var obj = Load(kernel, "hooks");
        var link = obj.Programs["at_entry"].Attach();
        object[] things =
        [
            obj, link, .. obj.Maps.Values, .. obj.Programs.Values,
            .. obj.Programs.Values.Select(p => p.Object), .. Objects(kernel),
            kernel, kernel.Tasks, kernel.Cgroups, kernel.Ledger, kernel.Rcu, kernel.Work,
        ];
        foreach (var each in things
            .OfType<KernelObject>()
            .Where(o => o is not (ProgObject or TaskStruct or Cgroup or MmStruct))
            .Distinct())
        {
            (each as KernelFile)?.Close();
            (each as Sock)?.Close();
            while (each.Count.Value > 0)
            {
                each.ReleaseCount();
            }
        }

        link.Dispose();
        obj.Dispose();
        kernel.Quiesce();
        kernel.Dispose();
        things.Select(t => Fault(t.GetType(), t)).OfType<string>().Should().BeEmpty();
    }

    [Fact]
    public void HalfBuiltObjects_SayWhatTheyAre()
    {
        using var kernel = NewKernel();
        var layout = typeof(KernelObject).GetField(
            "<Layout>k__BackingField", BindingFlags.Instance | BindingFlags.NonPublic)!;
        foreach (var obj in Objects(kernel).Where(o => o is not (MmStruct or Cpumask)))
        {
            // What another thread may see: the memory is there, and nothing of the derived type is set yet.
            var half = (KernelObject)RuntimeHelpers.GetUninitializedObject(obj.GetType());
            layout.SetValue(half, obj.Layout);
            half.Invoking(h => h.ToString()).Should().NotThrow(obj.GetType().Name);
        }
    }

    private static KernelObject[] Objects(KernelModel kernel)
    {
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "child");
        var key = new byte[16];
        var tuple = FlowTuple.Between(new(System.Net.IPAddress.Loopback, 1), new(System.Net.IPAddress.Loopback, 2), 6);
        return
        [
            task, task.Mm!, kernel.Cgroups.Create("group"), new Cpumask(kernel), new KernelFile(kernel, "/bin/sh"),
            new BpfKey(kernel, 1, false),
            new CryptoCtx(kernel, "cbc(aes)", key), new Sock(kernel, tuple), kernel.Conntrack.Allocate(tuple),
        ];
    }

    private static IEnumerable<object?> Roots(KernelModel kernel)
    {
        var leak = Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_leak.bpf.o");
        var obj = Load(kernel, "hooks");
        var tracker = BpfObject.Open(Path.Combine(TestData.Root, "samples", "TaskTracker", "bpf", "task_tracker.bpf.o"))
            .Load(kernel);
        var links = tracker.Programs.Values
            .Where(p => p.Spec.Type == ProgType.Tracing)
            .Select(p => p.Attach())
            .ToList();
        var objects = Objects(kernel);
        var asm = TextAssembler.Assemble("again:\nr0 = 0\nif r0 == 1 goto again\nexit");
        var raw = Interpreter.ForRaw([.. asm.Insns]);
        var parsed = CDeclParser.Parse(
            "struct s { int a : 3; int b[4]; enum { X = 1 } e; struct s *next; }; int f(int x);", "decl");
        var task = kernel.Tasks.Fork(kernel.Tasks.Init, "pinned");
        var held = KernelRef.TryAcquire(task);
        var programs = new ProgContext(kernel, obj.Programs["at_entry"].Spec);
        programs.End();
        return
        [
            kernel, new KernelModelOptions(), new KernelCoreOptions(), obj, obj.Spec, tracker, links, objects,
            asm, raw, raw.Run(new byte[8]),
            new ExecOptions(), new VerifyOptions(), new MapCreateOptions(), new ObjectCheckOptions(),
            new TestInput(), new SysctlInput("kernel/ostype", "Linux\n"), new IterOptions(),
            new IterOutput(new byte[3], 2, null), new ProgramResult(1, null), new TestOutput(0, null, default, default),
            ObjectCheck.Run(leak, kernel.Spec).ToList(), ObjectCheck.Run(leak, [kernel.Spec]).ToList(),
            BtfKernel.Read("own", kernel.Spec.Types, KernelProfile.Linux6_12),
            Disassembler.Lines([.. asm.Insns]).ToList(),
            parsed, Types(parsed), new BtfBuilder("b"),
            new CDeclParser("c"), new DiagSink(), BtfRecordRules.Linux6_12, KfuncRegistry.Builtin,
            kernel.Ledger.Snapshot(),
            kernel.Ledger.WhoPins(task), kernel.EnterProgram("scope"), programs, Maps(kernel), held,
            new BpfSpinLock(), new FaultPlan(), FaultPoint.Acquire,
            new InjectedFault("acquire", 1, "task_struct", RefSite.Unknown),
            new VirtualClock(), DestroyPolicy.Eager, MapCall.User(), new VmArea(0, 1, 0, null),
            new RefSite("f.cs", 3), RefSite.Unknown,
            new KernelFault(DiagCode.RefUseAfterFree, "m"), SectionTable(), kernel.Tasks.InitNamespace,
            new RecordSamples().All,
            Plain(kernel, parsed),
        ];
    }

    // What has no long way to it.
    private static List<object> Plain(KernelModel kernel, BtfSpec btf)
    {
        var site = RefSite.Unknown;
        var field = new BtfField(BtfFieldKind.KptrRef, "task", 0, 8);
        var map = new ArrayMap<long>(kernel, 1);
        var type = new MapType(new(1000, "own", BpfMapType.Hash), (_, _) => map);
        return
        [
            type, type.Spec, new LoadOptions(), new DyingFields(map, DeathPath.Delete),
            new ProgramHolder("p", 1, null, true), new MapHolder("m", "1", "f"), new UnlinkedHolder("m", "f"),
            new RecycledHolder("m", "f"), new CollectionHolder("list", new KernelHolder("x")),
            new ObjectHolder("o", "f", true),
            new DeferredHolder("rcu", "free"), new CSharpHolder(site), new UnknownHolder(),
            new KconfigSlot(KconfigType.Int, 0, 4, true), new StructOpsSpec("ops", []), new KernelCore(kernel.Spec),
            new FieldDeath(map, DeathPath.InPlaceUpdate, DeathContext.Caller, field),
            new ValueStructAttribute(typeof(long)), new TakesOwnershipAttribute(),
            new KfuncAttribute("k"), new KfuncSetAttribute(default), new RunFault(DiagCode.RefUseAfterFree, "m", 3),
            new BtfRecordReader(btf, kernel.Spec.Types, _ => null), kernel.NewObject(btf[3], BtfRecord.Empty),
        ];
    }

    private static List<BtfType> Types(BtfSpec btf) =>
        [.. Enumerable.Range(-1, btf.TypeCount + 2).Select(id => new BtfType(btf, id))];

    private static IEnumerable<object> SectionTable() => typeof(SectionDef).Assembly.GetTypes()
        .SelectMany(t => t.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public))
        .Where(f => f.FieldType == typeof(SectionDef[])).Take(1).SelectMany(f => (object[])f.GetValue(null)!);

    private static List<object> Maps(KernelModel kernel)
    {
        List<object> maps = [];
        foreach (var type in Enum.GetValues<BpfMapType>())
        {
            MapSpec spec = new(type.ToString(), type)
            {
                KeySize = type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf or BpfMapType.Queue or BpfMapType.Stack
                    or BpfMapType.BloomFilter
                    or BpfMapType.Arena ? 0 : type == BpfMapType.LpmTrie ? 8 : 4,
                ValueSize = type is BpfMapType.Ringbuf or BpfMapType.UserRingbuf or BpfMapType.Arena ? 0 : 4,
                StructOps = type == BpfMapType.StructOps ? new("ops", []) : null,
                MaxEntries = type is BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.SkStorage
                    or BpfMapType.InodeStorage ? 0u
                    : type is BpfMapType.StructOps ? 1u : 4096u,
                Flags = type switch
                {
                    BpfMapType.LpmTrie or BpfMapType.TaskStorage or BpfMapType.CgrpStorage or BpfMapType.SkStorage
                        or BpfMapType.InodeStorage
                        or BpfMapType.Rhash => MapFlags.NoPrealloc,
                    BpfMapType.Arena => MapFlags.Mmapable,
                    _ => MapFlags.None,
                },
                InnerMap = type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps
                    ? new("inner", BpfMapType.Array) { KeySize = 4, ValueSize = 4, MaxEntries = 1 } : null,
            };
            if (MapFactory.TryCreate(kernel, spec, out var map) == Errno.None)
            {
                maps.Add(map!);
            }
        }

        var array = new ArrayMap<Kptr<TaskStruct>>(kernel, 2);
        return
        [
            .. maps, array, array.TakeCensus(), new HashMap<int, long>(kernel, 4), new LruHashMap<int, long>(kernel, 4),
            new PercpuHashMap<int, long>(kernel, 4), new PercpuArrayMap<long>(kernel, 4),
            new LruPercpuHashMap<int, long>(kernel, 4),
            array.As<int, Kptr<TaskStruct>>(), array.Pools, default(Kptr<TaskStruct>), default(KernelRef<TaskStruct>),
        ];
    }

    private static Dictionary<Type, List<object>> Walk(IEnumerable<object?> roots)
    {
        Dictionary<Type, List<object>> met = [];
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var waiting = new Queue<object?>(roots);
        while (waiting.TryDequeue(out var at))
        {
            if (at is null or string || (!at.GetType().IsValueType && !seen.Add(at)))
            {
                continue;
            }

            var type = at.GetType();
            if (type.IsArray || type.Assembly != typeof(KernelModel).Assembly || type.Name.StartsWith('<'))
            {
                foreach (var item in Items(at).Take(64))
                {
                    waiting.Enqueue(item);
                }

                continue;
            }

            var key = type.IsGenericType ? type.GetGenericTypeDefinition() : type;
            if (!met.TryGetValue(key, out var list))
            {
                met[key] = list = [];
            }

            if (list.Count < PerTypeMax)
            {
                list.Add(at);
                Items(at).Concat(Parts(at, type)).ToList().ForEach(waiting.Enqueue);
            }
        }

        return met;
    }

    private static List<object?> Items(object at)
    {
        try
        {
            return at is DictionaryEntry pair ? [pair.Key, pair.Value]
                : at is IEnumerable many ? many.Cast<object?>().Take(64).ToList()
                : at.GetType() is { IsGenericType: true } t
                    && t.Name.StartsWith("KeyValuePair", StringComparison.Ordinal)
                    ? [t.GetProperty("Value")!.GetValue(at)]
                : at is ITuple tuple ? Enumerable.Range(0, tuple.Length).Select(i => tuple[i]).ToList() : [];
        }
        catch (InvalidOperationException)
        {
            return []; // a default immutable array
        }
    }

    private static IEnumerable<object?> Parts(object at, Type type)
    {
        foreach (var property in type.GetProperties(BindingFlags.Instance | BindingFlags.Public))
        {
            if (property.GetIndexParameters().Length == 0 && property
                is { CanRead: true, PropertyType: { IsPointer: false, IsByRef: false, IsByRefLike: false } })
            {
                object? value;
                try
                {
                    value = property.GetValue(at);
                }
                catch (TargetInvocationException)
                {
                    continue;
                }

                yield return value;
            }
        }
    }

    private static string? Fault(Type type, object at)
    {
        try
        {
            var text = at.ToString();
            return string.IsNullOrWhiteSpace(text) ? $"{type} says nothing"
                : text == at.GetType().ToString() || text == type.Name ? $"{type} says its type's name"
                : text.Contains("`1", StringComparison.Ordinal)
                    || text.Contains("System.Collections", StringComparison.Ordinal)
                    || text.Contains("System.ReadOnly", StringComparison.Ordinal)
                    ? $"{type} says the name of a collection's type: {text}"
                : text.Length > LengthMax ? $"{type} says {text.Length} characters" : null;
        }
        catch (Exception e)
        {
            return $"{type} throws {e.GetType().Name}: {e.Message}";
        }
    }

    private static bool HasGeneratedText(Type type) =>
        type.GetMethod(nameof(ToString), BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly, [])
            ?.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false) == true;

    private static bool Leads(Type from, Type to, HashSet<Type> generated, HashSet<Type> seen, List<string> trail)
    {
        foreach (var property in from
            .GetProperties(BindingFlags.Instance | BindingFlags.Public)
            .Where(p => p.GetIndexParameters().Length == 0))
        {
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            foreach (var next in generated.Where(g => type.IsAssignableFrom(g) && type != typeof(object)))
            {
                if (next == to || (seen.Add(next) && Leads(next, to, generated, seen, trail)))
                {
                    trail.Insert(0, $"{from.Name}.{property.Name}");
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>
    /// A field whose node type's record has a field of the first type: what printed itself without end.
    /// </summary>
    private sealed class RecordSamples
    {
        internal RecordSamples()
        {
            var inner = new BtfRecord([new(BtfFieldKind.ListNode, "node", 0, 24)]);
            var btf = CDeclParser.Parse("struct s { struct s *next; };", "s");
            All = [new BtfRecord([
                new(BtfFieldKind.ListHead, "head", 0, 16) { NodeType = btf[1], Pointee = btf[2], Inner = inner },
            ]), BtfRecord.Empty];
        }

        internal object[] All { get; }
    }
}
