using System.Diagnostics.CodeAnalysis;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Programs;

/// <summary>Which kernel scripts are played in.</summary>
/// <param name="Spec">The kernel, with its destroy policy.</param>
internal sealed record KernelChoice(KernelSpec Spec)
{
    internal DestroyBehavior Policy => Spec.Profile.Destroy;

    public override string ToString() => $"{Spec.Profile.Name}, policy {Policy}";
}

/// <summary>One kernel with the object loaded and attached, in which one script is played.</summary>
internal sealed partial class Stage : IDisposable
{
    private const int TasksAtStart = 3;
    private const int CgroupsAtStart = 2;
    private const int FailsInARow = 3;
    private readonly ProgramTestOptions _options;
    private readonly FaultPlan _plan = new();
    private readonly KernelModel _kernel;
    private readonly BpfObject _object;
    private readonly List<BpfLink> _links = [];
    private readonly List<TaskStruct> _tasks = [];
    private readonly List<Cgroup> _cgroups = [];
    private readonly List<string> _log = [];
    private readonly List<string> _printed = [];
    private readonly BpfProgram[] _programs;
    private readonly BpfMap[] _maps;
    private readonly string[] _points;
    private readonly CallNames _calls;
    private readonly ProgStarter _starter;
    private int _named;

    /// <summary>Boots, loads and attaches.</summary>
    /// <exception cref="ProgramRejectedException">As the load throws it, and its other exceptions.</exception>
    internal Stage(KernelChoice choice, Func<BpfObject> open, ProgramTestOptions options)
    {
        _options = options;
        _kernel = new(options.Kernel with
        {
            Kernel = choice.Spec, Driver = DeferredDriver.Manual, Clock = new VirtualClock(),
            LedgerLevel = LedgerLevel.Sites, FaultPlan = _plan, Seed = 1, ThrowOnFault = false,
        });
        try
        {
            _object = open() ?? throw new ArgumentException("no object was opened", nameof(open));
            _object.Load(_kernel, options.Load);
            _kernel.Traced += _printed.Add;
            _programs = [.. _object.Programs.Values.OrderBy(p => p.Name, StringComparer.Ordinal)];
            _maps = [.. _object.Maps.Values.Where(IsUsers).OrderBy(m => m.Name, StringComparer.Ordinal)];
            _calls = new(_kernel, _object.Programs);
            _points = [.. PointsOf()];
            _starter = new(_kernel, _tasks, _cgroups, options.Fuel);
            Populate();
            _links.AddRange(_programs.Select(Attach).OfType<BpfLink>());
            options.Prepare?.Invoke(_kernel, _object);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The steps so far, with what came of them.</summary>
    internal IReadOnlyList<string> Log => _log;

    /// <summary>The names of all programs that were loaded.</summary>
    internal IEnumerable<string> Programs => _programs.Select(p => p.Name);

    /// <summary>Those that have run.</summary>
    internal IEnumerable<string> Ran => [.. _programs.Where(p => p.RunCount > 0).Select(p => p.Name)];

    /// <summary>What was to be seen after each step.</summary>
    internal List<Moment> Moments { get; } = [];

    /// <summary>What is good to know.</summary>
    internal SortedSet<string> Remarks { get; } = new(StringComparer.Ordinal);

    /// <summary>Plays a script to its end, and unloads the object.</summary>
    /// <returns>The first rule that is seen to be broken, at which it ends; null for none.</returns>
    internal BrokenRuleException? Play(IReadOnlyList<ProgStep> script)
    {
        try
        {
            CheckFaults();      // of what Prepare did
            for (var i = 0; i < script.Count; i++)
            {
                Do($"{i + 1,3}", script[i]);
            }

            Note("end  everything exits", EndEverything);
            Note("end  unload the object", Unload);
            return null;
        }
        catch (BrokenRuleException e)
        {
            return e;
        }
    }

    /// <summary>Ends the kernel; what a broken map throws at its end was found before, or by another script.</summary>
    [SuppressMessage("Design", "CA1031", Justification = "the script has told what it found")]
    public void Dispose()
    {
        Action[] ends = [.. _links.Select<BpfLink, Action>(l => l.Dispose), () => _object?.Dispose(), _kernel.Dispose];
        foreach (var end in ends)
        {
            try
            {
                end();
            }
            catch (Exception)
            {
                // The next ends all the same.
            }
        }
    }

    private void Populate()
    {
        for (var i = 0; i < TasksAtStart; i++)
        {
            AddTask(_kernel.Tasks.Fork(_kernel.Tasks.Init, $"task {_named++}"));
        }

        for (var i = 0; i < CgroupsAtStart; i++)
        {
            _cgroups.Add(_kernel.Cgroups.Create($"cgroup {_named++}"));
        }
    }

    private static bool IsUsers(BpfMap map) =>
        !map.Name.Contains('.', StringComparison.Ordinal) && map.Type is not (BpfMapType.StructOps or BpfMapType.Arena);

    private static BpfLink? Attach(BpfProgram program)
    {
        try
        {
            return program.Attach();
        }
        catch (NotSupportedException)
        {
            return null;
        }
        catch (ArgumentException) when (program.Spec.AttachTarget is { Length: > 0 } hook)
        {
            // The kernel that the object was written for has it, or a module.
            program.Kernel.DeclareHook(hook);
            return program.Attach();
        }
    }

    private IEnumerable<string> PointsOf()
    {
        if (_options.Faults is { } named)
        {
            foreach (var name in named)
            {
                _plan.PassesOf(name);       // an ArgumentException that lists near names, where there is none
            }

            return named;
        }

        var known = _plan.Points.Select(p => p.Name).ToHashSet();
        return new[] { FaultPoint.AllocElem, FaultPoint.AllocObject, FaultPoint.LockBucket, FaultPoint.Acquire }
            .Select(p => p.Name).Concat(_calls.All.Where(known.Contains));
    }

    private void Do(string number, ProgStep step)
    {
        var current = TaskOf(step);
        _kernel.CurrentCpu = _kernel.PossibleCpus[step.Cpu % _kernel.PossibleCpus.Length];
        _printed.Clear();
        var at = _log.Count;
        _log.Add($"{number}  {step.Kind}");
        string result;
        using (_kernel.Tasks.Run(current))
        {
            result = Guarded(() => Perform(step, current, text => _log[at] = $"{number}  {text}"));
        }

        _tasks.RemoveAll(t => t.Phase >= TaskPhase.Reaped);
        _cgroups.RemoveAll(c => !c.IsOnline);
        result = string.Join(", prints ", [result, .. _printed]);
        _log[at] += $" -> {result}";
        Judge(result);
    }

    private void Note(string text, Action step)
    {
        _log.Add(text);
        Guarded(() =>
        {
            step();
            return "";
        });
    }

    [SuppressMessage("Design", "CA1031", Justification = "whatever it is, it is the finding")]
    private static string Guarded(Func<string> step)
    {
        try
        {
            return step();
        }
        catch (Exception e) when (e is not BrokenRuleException)
        {
            throw new BrokenRuleException(ProgRules.NoExceptions, "no exception", e.ToString());
        }
    }

    private void AddTask(TaskStruct task)
    {
        if (task.Phase < TaskPhase.Reaped)
        {
            _tasks.Add(task);
        }
    }

    private TaskStruct TaskOf(ProgStep step) =>
        _tasks.Count == 0 ? _kernel.Tasks.Init : _tasks[step.Task % _tasks.Count];
}
