using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr.Objects;

/// <summary>Makes Linux's rare failures happen in one kernel: which, by name; when, by number or by seed.</summary>
/// <remarks>
/// <para>
/// Give it to the kernel (<see cref="KernelCoreOptions.FaultPlan"/>); a kernel without one asks nowhere, and a plan
/// without rules counts nothing. Rules may be added before and after the boot. <see cref="Points"/> lists what can
/// fail: the places in <see cref="FaultPoint"/>, each kfunc and helper by its own name that may fail whenever a program
/// calls it (it then gives null, or an errno, and its body does not run), and points that were declared.
/// </para>
/// <para>Safe for any number of threads. Kernel: <c>CONFIG_FAULT_INJECTION</c>, <c>fail_function</c>.</para>
/// </remarks>
public sealed class FaultPlan
{
    // A rule may fail for as long as a night's run lasts.
    private const int KeptMax = 4096;

    private readonly ConcurrentDictionary<string, FaultPoint> _points =
        new(FaultPoint.Common.Select(p => KeyValuePair.Create(p.Name, p)));

    private readonly ConcurrentDictionary<string, StrongBox<long>> _passes = [];
    private readonly ConcurrentQueue<InjectedFault> _injected = new();
    private ImmutableArray<FaultRule> _rules = [];
    private KernelCore? _core;
    private long _injectedCount;

    /// <summary>What can fail, by name; calls of kfuncs and helpers once a kernel has booted with the plan.</summary>
    public IReadOnlyList<FaultPoint> Points => [.. _points.Values.OrderBy(p => p.Name, StringComparer.Ordinal)];

    /// <summary>What was made to fail so far, oldest first; a copy, of the last 4,096.</summary>
    public IReadOnlyList<InjectedFault> Injected => [.. _injected];

    /// <summary>How much was made to fail so far.</summary>
    public long InjectedCount => Interlocked.Read(ref _injectedCount);

    /// <summary>Makes the <paramref name="nth"/> pass from now fail.</summary>
    /// <param name="name">Name of the point.</param>
    /// <param name="nth">1 for the next pass.</param>
    /// <param name="times">How many passes in a row fail.</param>
    /// <param name="subject">Only passes of this map, object type or program count; null for all.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="ArgumentException">There is no such point; the message names near ones. Before the boot that is
    /// said by the kernel's constructor.</exception>
    public FaultPlan Fail(string name, int nth = 1, int times = 1, string? subject = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nth, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        return Add(new(Checked(name), subject) { First = nth, Times = times });
    }

    /// <summary>Makes passes fail at random; the same seed chooses the same passes.</summary>
    /// <param name="name">Name of the point.</param>
    /// <param name="seed">Chooses which.</param>
    /// <param name="oneIn">One pass in so many fails, on average; 1 for each.</param>
    /// <param name="subject">Only passes of this map, object type or program count; null for all.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="ArgumentException">As for <see cref="Fail"/>.</exception>
    public FaultPlan FailAtRandom(string name, int seed, int oneIn, string? subject = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(oneIn, 1);
        return Add(new(Checked(name), subject) { Seed = seed, OneIn = oneIn });
    }

    /// <summary>
    /// Adds a point of the user's own, at which his code asks <see cref="ShouldFail(string, string)"/>.
    /// </summary>
    /// <param name="point">Its name, which no other point has, and what fails.</param>
    /// <returns>The plan.</returns>
    /// <exception cref="ArgumentException">There is a point of that name.</exception>
    public FaultPlan Declare(FaultPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        ArgumentException.ThrowIfNullOrEmpty(point.Name, nameof(point));
        return _points.TryAdd(point.Name, point)
            ? this : throw new ArgumentException($"there is a point \"{point.Name}\" already", nameof(point));
    }

    /// <summary>One pass through a point: whether it is to fail.</summary>
    /// <param name="name">Name of the point.</param>
    /// <param name="subject">What would fail; empty for nothing in particular.</param>
    /// <exception cref="ArgumentException">There is no such point; the message names near ones.</exception>
    public bool ShouldFail(string name, string subject = "")
    {
        ArgumentNullException.ThrowIfNull(subject);
        return Pass(_points.ContainsKey(name) ? name : throw Unknown(name), subject, null);
    }

    /// <summary>How often a point was passed while there were rules, failing or not.</summary>
    /// <param name="name">Name of the point.</param>
    /// <exception cref="ArgumentException">There is no such point.</exception>
    public long PassesOf(string name) =>
        _passes.TryGetValue(Checked(name), out var count) ? Interlocked.Read(ref count.Value) : 0;

    /// <summary>Forgets all rules, so that nothing fails any more; what was injected stays.</summary>
    public void Clear() => ImmutableInterlocked.InterlockedExchange(ref _rules, []);

    /// <summary>Rules and failures so far.</summary>
    public override string ToString() => $"{_rules.Length} rules, {InjectedCount} failures injected";

    /// <summary>Whether there are rules that may still make something fail.</summary>
    internal bool IsArmed => !_rules.IsEmpty;

    /// <summary>The kernel boots with this plan; from now on all names are known.</summary>
    internal void Bind(KernelCore core)
    {
        if (Interlocked.CompareExchange(ref _core, core, null) is not null)
        {
            throw new ArgumentException("another kernel has this fault plan; a plan is for one");
        }

        foreach (var name in FailableCalls.NamesIn(core.Spec))
        {
            _points.TryAdd(name, new(name, $"a program's call of {name} fails"));
        }

        foreach (var rule in _rules)
        {
            Checked(rule.Name);
        }
    }

    /// <summary>One pass through a point that is known; the site is found where none is given.</summary>
    internal bool Pass(string name, string subject, RefSite? site)
    {
        if (!IsArmed)
        {
            return false;
        }

        var nth = Interlocked.Increment(ref _passes.GetOrAdd(name, static _ => new()).Value);
        var isTaken = false;
        foreach (var rule in _rules)
        {
            isTaken |= rule.Takes(name, subject);
            if (rule.IsSpent)
            {
                ImmutableInterlocked.Update(ref _rules, static (rules, spent) => rules.Remove(spent), rule);
            }
        }

        if (isTaken)
        {
            _injected.Enqueue(new(name, nth, subject, site ?? _core?.SiteHere() ?? RefSite.Unknown));
            if (Interlocked.Increment(ref _injectedCount) > KeptMax)
            {
                _injected.TryDequeue(out _);
            }
        }

        return isTaken;
    }

    private FaultPlan Add(FaultRule rule)
    {
        ImmutableInterlocked.Update(ref _rules, static (rules, rule) => rules.Add(rule), rule);
        return this;
    }

    private string Checked(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return _core is null || _points.ContainsKey(name) ? name : throw Unknown(name);
    }

    private ArgumentException Unknown(string name) =>
        new($"nothing is called \"{name}\" that can fail in this kernel; {NearNames.Text(name, _points.Keys)}");
}
