using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Elf;
using Kptr.Maps;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr;

/// <summary>A BPF object file, and once it is loaded its live maps and programs.</summary>
public sealed class BpfObject : IDisposable
{
    private ObjectMaps? _maps;
    private ImmutableDictionary<string, BpfProgram> _programs = ImmutableDictionary<string, BpfProgram>.Empty;
    private ImmutableDictionary<string, StructOpsInstance> _structOps =
        ImmutableDictionary<string, StructOpsInstance>.Empty;
    private readonly ObjectVariables _variables;
    private int _phase;

    private BpfObject(ObjectSpec spec)
    {
        Spec = spec;
        _variables = new(this);
    }

    /// <summary>The blueprint as it was read; nothing in it is resolved.</summary>
    public ObjectSpec Spec { get; }

    /// <summary>Whether it was loaded, and not disposed of since.</summary>
    public bool IsLoaded => Volatile.Read(ref _phase) == (int)Phase.Loaded;

    /// <summary>The live maps by name; empty before it is loaded.</summary>
    public IReadOnlyDictionary<string, BpfMap> Maps => IsLoaded ? LiveMaps : ImmutableDictionary<string, BpfMap>.Empty;

    /// <summary>
    /// The global variables by name, before and after it is loaded; a name that stands more than once in the object is
    /// <c>SECTION/NAME</c>. Asking for one that is not there throws <see cref="KeyNotFoundException"/> and names near
    /// ones. Empty where the object has no BTF.
    /// </summary>
    public IReadOnlyDictionary<string, BpfVariable> Variables => _variables;

    /// <summary>The loaded programs by name; empty before it is loaded.</summary>
    public IReadOnlyDictionary<string, BpfProgram> Programs =>
        IsLoaded ? _programs : ImmutableDictionary<string, BpfProgram>.Empty;

    /// <summary>
    /// The structs of operations that its programs implement, by the name of their map; empty
    /// before it is loaded.
    /// </summary>
    public IReadOnlyDictionary<string, StructOpsInstance> StructOps =>
        IsLoaded ? _structOps : ImmutableDictionary<string, StructOpsInstance>.Empty;

    /// <summary>Reads an object file.</summary>
    /// <exception cref="DiagnosticException">The file cannot be read or is no BPF object.</exception>
    public static BpfObject Open(string path) => new(ObjectReader.Read(path));

    /// <summary>Reads an object from memory.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="name">Its name, for messages.</param>
    /// <exception cref="DiagnosticException">The bytes are no BPF object.</exception>
    public static BpfObject Open(ReadOnlyMemory<byte> data, string name) => new(ObjectReader.Read(data, name));

    /// <summary>Takes a blueprint made in any other way, such as with the C# assembler.</summary>
    /// <exception cref="ArgumentException">Two maps or two programs have one name.</exception>
    public static BpfObject From(ObjectSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ThrowOnOneName("maps", spec.Maps.IsDefault ? [] : spec.Maps.Select(m => m.Name));
        ThrowOnOneName("programs", spec.Progs.IsDefault ? [] : spec.Progs.Select(p => p.Name));
        return new(spec);
    }

    private static void ThrowOnOneName(string what, IEnumerable<string> names)
    {
        if (names.GroupBy(n => n).FirstOrDefault(g => g.Skip(1).Any()) is { } twice)
        {
            throw new ArgumentException($"two {what} are called \"{twice.Key}\"");
        }
    }

    /// <summary>
    /// Links the object to a kernel, creates its maps, verifies its programs and makes them ready to attach.
    /// </summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="autoload">Which programs to load; null for those not marked <c>SEC("?...")</c>.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ProgramRejectedException">The verifier refuses a program.</exception>
    /// <exception cref="DiagnosticException">Something the object names is not in this kernel.</exception>
    /// <exception cref="MapCreateException">The kernel refuses a map.</exception>
    public BpfObject Load(KernelModel kernel, Func<ProgSpec, bool>? autoload = null) =>
        Load(kernel, new LoadOptions { Autoload = autoload });

    /// <summary>
    /// As the other <see cref="Load(KernelModel, Func{ProgSpec, bool})"/>, with maps of the user's own.
    /// </summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="options">Which programs to load, and which maps are the user's.</param>
    /// <returns>This object.</returns>
    /// <exception cref="ProgramRejectedException">The verifier refuses a program.</exception>
    /// <exception cref="DiagnosticException">Something the object names is not in this kernel, or a map of the user's
    /// is not as the object declares it.</exception>
    /// <exception cref="MapCreateException">The kernel refuses a map.</exception>
    /// <exception cref="ArgumentException">The options name a map that the object does not have.</exception>
    public BpfObject Load(KernelModel kernel, LoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(options);
        BeginLoad();
        try
        {
            MakeLive(kernel, options);
        }
        catch
        {
            // Made nothing: another try may follow, unless it was disposed meanwhile.
            DisposeLive();
            Interlocked.CompareExchange(ref _phase, (int)Phase.Fresh, (int)Phase.Loading);
            throw;
        }

        if (Interlocked.CompareExchange(ref _phase, (int)Phase.Loaded, (int)Phase.Loading) != (int)Phase.Loading)
        {
            DisposeLive();
            throw new ObjectDisposedException(Spec.Name, "the object was disposed while it was loaded");
        }

        return this;
    }

    /// <summary>Unloads: gives up the programs (links keep theirs) and the maps (programs keep theirs).</summary>
    /// <remarks>Where another thread is loading it, that load gives everything up and throws.</remarks>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _phase, (int)Phase.Disposed) == (int)Phase.Loaded)
        {
            DisposeLive();
        }
    }

    /// <summary>Name, and what it has.</summary>
    public override string ToString() =>
        $"object \"{Spec.Name}\" ({Spec.Progs.Length} programs, {Spec.Maps.Length} maps, {PhaseText})";

    /// <summary>Whether nobody has begun to load it.</summary>
    internal bool IsFresh => Volatile.Read(ref _phase) == (int)Phase.Fresh;

    internal void ThrowIfGone() =>
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _phase) == (int)Phase.Disposed, this);

    private ImmutableDictionary<string, BpfMap> LiveMaps =>
        _maps?.ByName ?? ImmutableDictionary<string, BpfMap>.Empty;

    private string PhaseText => (Phase)Volatile.Read(ref _phase) switch
    {
        Phase.Loaded => "loaded",
        Phase.Disposed => "disposed",
        _ => "not loaded",
    };

    private void BeginLoad()
    {
        switch ((Phase)Interlocked.CompareExchange(ref _phase, (int)Phase.Loading, (int)Phase.Fresh))
        {
            case Phase.Fresh:
                break;
            case Phase.Disposed:
                throw new ObjectDisposedException(Spec.Name);
            default:
                throw new InvalidOperationException($"{Spec.Name} is loaded already, or another thread loads it");
        }
    }

    private void MakeLive(KernelModel kernel, LoadOptions options)
    {
        var linked = ObjectLinker.Link(_variables.Applied(), kernel.Spec, new DiagSink());
        _variables.CheckArePlain(linked);
        var wanted = linked.Progs.Where(options.Autoload ?? (static p => p.Autoload)).ToImmutableArray();
        ThrowOnLinkFaults(wanted);
        _maps = new(kernel, options, Spec.Name);
        var maps = _maps.Create(linked.Maps);
        foreach (var verified in VerifyAll(wanted, kernel.Spec))
        {
            var program = new BpfProgram(kernel, verified, maps);
            _programs = _programs.Add(program.Name, program);
            if (program.OwnMaps() is { } map)
            {
                throw new DiagnosticException([new(
                    DiagCode.MapIncompatible,
                    $"program {program.Name} cannot use {map}: it belongs to programs of another kind")
                {
                    File = Spec.Name,
                }]);
            }
        }

        FillSlots(linked);
        _structOps = linked.Maps
            .Where(m => m.StructOps is not null && LiveMaps.GetValueOrDefault(m.Name) is StructOpsMap)
            .ToImmutableDictionary(
                m => m.Name, m => new StructOpsInstance((StructOpsMap)LiveMaps[m.Name], m.StructOps!, _programs));
    }

    private static void ThrowOnLinkFaults(ImmutableArray<ProgSpec> progs)
    {
        var faults = progs.Where(p => p.LinkFault is not null).Select(p => p.LinkFault!).ToList();
        if (faults.Count > 0)
        {
            throw new DiagnosticException(faults);
        }
    }

    private ImmutableArray<VerifiedProgram> VerifyAll(ImmutableArray<ProgSpec> progs, KernelSpec kernel)
    {
        var results = progs.Select(p => (p.Name, Result: BpfVerifier.Verify(p, kernel))).ToImmutableArray();
        var refused = results.RemoveAll(r => r.Result.IsAccepted);
        return refused.IsEmpty
            ? [.. results.Select(r => r.Result.Program!)]
            : throw new ProgramRejectedException(Spec.Name, refused);
    }

    /// <summary>An array of perf events without a size has one for each CPU.</summary>
    /// <remarks>libbpf 1.5: <c>bpf_object__create_maps</c>.</remarks>
    internal static MapSpec Sized(MapSpec spec, KernelModel kernel) =>
        spec is { Type: BpfMapType.PerfEventArray, MaxEntries: 0 }
            ? spec with { MaxEntries = (uint)kernel.CpuCount }
            : spec;

    /// <summary>Fills maps of maps and program arrays as the object's initialisers say.</summary>
    private void FillSlots(ObjectSpec linked)
    {
        foreach (var spec in linked.Maps.Where(m => m.InitialSlots.Length > 0 && LiveMaps.ContainsKey(m.Name)))
        {
            foreach (var (key, target) in spec.InitialSlots)
            {
                Put(LiveMaps[spec.Name], key, target);
            }
        }
    }

    private void Put(BpfMap map, int key, string target)
    {
        var err = map is ProgArrayMap programs && _programs.TryGetValue(target, out var program)
            ? programs.Set((uint)key, program)
            : LiveMaps.TryGetValue(target, out var inner)
                ? map.UpdateElem(BitConverter.GetBytes(key), BitConverter.GetBytes(inner.Id))
            : Errno.ENOENT;
        if (err != Errno.None)
        {
            throw new DiagnosticException(
                [new(DiagCode.MapRefused, $"{map.Name}[{key}] cannot hold {target}: {err}") { File = Spec.Name }]);
        }
    }

    private void DisposeLive()
    {
        foreach (var program in _programs.Values)
        {
            program.Unload();
        }

        _maps?.Dispose();
        _programs = _programs.Clear();
        _structOps = _structOps.Clear();
    }

    private enum Phase
    {
        Fresh,

        /// <summary>What is made belongs to the thread that loads.</summary>
        Loading,
        Loaded,
        Disposed,
    }
}
