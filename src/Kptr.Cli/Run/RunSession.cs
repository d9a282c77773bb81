using Kptr.Diagnostics;
using Kptr.Objects;
using Kptr.Tracing;

namespace Kptr.Cli.Run;

/// <summary>An object in a model: loaded, attached, and what went wrong with it.</summary>
internal sealed class RunSession : IDisposable
{
    private const int FaultsKept = 100;
    private readonly Lock _lock = new();
    private readonly List<KernelFault> _faults = [];
    private readonly List<BpfLink> _links = [];
    private readonly List<(string Program, string Why)> _notAttached = [];
    private long _faultCount;

    /// <exception cref="DiagnosticException">The file is no object, or a map of it cannot be made.</exception>
    /// <exception cref="ProgramRejectedException">The kernel refuses a program.</exception>
    public RunSession(string file, KernelModelOptions options, IReadOnlyCollection<string> programs)
    {
        Kernel = new(options) { IsBpfStatsEnabled = true };
        Kernel.FaultReported += (_, fault) => Add(fault);
        try
        {
            Object = BpfObject.Open(file);
            RequirePrograms(file, programs);
            Object.Load(Kernel, new LoadOptions
            {
                Autoload = programs.Count == 0 ? null : p => programs.Contains(p.Name),
            });
        }
        catch
        {
            Kernel.Dispose();
            throw;
        }
    }

    public KernelModel Kernel { get; }

    public BpfObject Object { get; }

    public IReadOnlyList<BpfLink> Links => _links;

    /// <summary>Programs that nothing in the model runs by itself.</summary>
    public IReadOnlyList<(string Program, string Why)> NotAttached => _notAttached;

    public long FaultCount => Interlocked.Read(ref _faultCount);

    /// <summary>The first of them.</summary>
    public IReadOnlyList<KernelFault> Faults
    {
        get
        {
            lock (_lock)
            {
                return [.. _faults];
            }
        }
    }

    /// <summary>What a trace left open; null where none was replayed.</summary>
    public TraceReplayReport? Replay { get; set; }

    /// <summary>What a test run returned; null where there was none.</summary>
    public TestOutput? Tested { get; set; }

    /// <summary>What a snapshot of a machine could not show or make.</summary>
    public IReadOnlyList<string> Gaps { get; private set; } = [];

    /// <summary>What following this machine by its /proc saw; null where it was not.</summary>
    public LiveProcReport? Followed { get; set; }

    /// <summary>References that nobody has any more, when the object is gone; filled by <see cref="Close"/>.</summary>
    public IReadOnlyList<LedgerEntry> Lost { get; private set; } = [];

    /// <summary>Makes the tasks and cgroups of a machine, as ones that were there before.</summary>
    /// <param name="from">Where another machine's were copied to, or an archive; null for this one's.</param>
    /// <returns>The machine as it was made.</returns>
    public ProcSnapshot MakeMachine(string? from)
    {
        var machine = from is null
            ? ProcSnapshot.Read()
            : File.Exists(from) ? ProcSnapshot.ReadArchive(from)
            : ProcSnapshot.Read(Path.Combine(from, "proc"), Path.Combine(from, "cgroup"));
        Gaps = [.. machine.Gaps.Select(g => g.ToString()), .. machine.MakeIn(Kernel)];
        return machine;
    }

    /// <summary>Attaches every program that has a place in the model.</summary>
    public void Attach()
    {
        foreach (var program in Object.Programs.Values)
        {
            try
            {
                _links.Add(program.Attach());
            }
            catch (Exception e) when (e is NotSupportedException or ArgumentException)
            {
                _notAttached.Add((program.Name, e.Message));
            }
        }
    }

    /// <summary>Detaches the programs and closes the object, which gives back what its maps hold.</summary>
    public void Close()
    {
        _links.ForEach(l => l.Dispose());
        Object.Dispose();
        Kernel.Quiesce();
        try
        {
            Kernel.Ledger.AssertAllReturned();
        }
        catch (LedgerLeakException e)
        {
            Lost = e.Leaks;
        }
    }

    public void Dispose()
    {
        _links.ForEach(l => l.Dispose());
        Object.Dispose();
        Kernel.Dispose();
    }

    private void RequirePrograms(string file, IReadOnlyCollection<string> programs)
    {
        var known = Object.Spec.Progs.Select(p => p.Name).ToList();
        if (programs.FirstOrDefault(p => !known.Contains(p)) is { } unknown)
        {
            throw new DiagnosticException([new(DiagCode.FileUnreadable,
                $"no program is named \"{unknown}\"; {NearNames.Text(unknown, known)}") { File = file }]);
        }
    }

    private void Add(KernelFault fault)
    {
        Interlocked.Increment(ref _faultCount);
        lock (_lock)
        {
            if (_faults.Count < FaultsKept)
            {
                _faults.Add(fault);
            }
        }
    }
}
