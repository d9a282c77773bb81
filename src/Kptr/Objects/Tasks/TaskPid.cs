using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Kptr.Objects;

/// <summary>The numbers of one thread, one for each namespace that sees it, and its <c>struct pid</c>.</summary>
internal sealed class TaskPid
{
    private const int UpidBytes = 16; // struct pid ends with one for each namespace level
    private readonly KernelStruct _native;

    private TaskPid(KernelCore core, PidNamespace ns, ImmutableArray<(PidNamespace Ns, int Number)> numbers)
    {
        Namespace = ns;
        Numbers = numbers;
        _native = new(core, "pid", TaskFields.Pid, flexBytes: TaskFields.PidLevelsMax * UpidBytes);
        _native.Put("count.refs.counter", 1);
        _native.Put("level", (ulong)ns.Level);
        foreach (var (each, number) in numbers)
        {
            _native.Put(TaskFields.NumberPaths[each.Level], (ulong)number);
            _native.Put(TaskFields.NumberNsPaths[each.Level], each.Address);
        }
    }

    /// <summary>The innermost namespace.</summary>
    internal PidNamespace Namespace { get; }

    internal ImmutableArray<(PidNamespace Ns, int Number)> Numbers { get; }

    /// <summary>The number in the first namespace: <c>task->pid</c>.</summary>
    internal int Global => Numbers[^1].Number;

    internal ulong Address => _native.Address;

    /// <summary>Numbers for a task of a namespace.</summary>
    /// <param name="core">The kernel.</param>
    /// <param name="ns">Its innermost namespace.</param>
    /// <param name="chosen">Those that somebody chose, from the first namespace down; perhaps not all.</param>
    /// <param name="end">Numbers are below it.</param>
    /// <exception cref="ArgumentException">A number is out of range, or there are too many.</exception>
    /// <exception cref="InvalidOperationException">A number is in use, or all are.</exception>
    internal static TaskPid AllocateLocked(KernelCore core, PidNamespace ns, ImmutableArray<int> chosen, int end)
    {
        if (!chosen.IsDefault && chosen.Length > ns.Level + 1)
        {
            throw new ArgumentException($"{chosen.Length} pids were named for a task of {ns}", nameof(chosen));
        }

        var numbers = new (PidNamespace, int)[ns.Level + 1];
        var at = 0;
        for (var each = ns; each is not null; each = each.Parent)
        {
            numbers[at++] = (each, !chosen.IsDefault && each.Level < chosen.Length
                ? each.ClaimLocked(chosen[each.Level], end)
                : each.AllocateLocked(end));
        }

        return new(core, ns, ImmutableCollectionsMarshal.AsImmutableArray(numbers));
    }

    /// <summary>The number 0, which all idle tasks have and under which nobody is found.</summary>
    internal static TaskPid OfIdle(KernelCore core, PidNamespace ns) => new(core, ns, [(ns, 0)]);

    /// <summary>The number in this namespace; 0 where it is not seen.</summary>
    internal int NumberIn(PidNamespace ns) => Numbers.FirstOrDefault(n => n.Ns == ns).Number;

    internal void HashLocked(TaskStruct task)
    {
        foreach (var (ns, number) in Numbers)
        {
            ns.HashLocked(number, task);
        }
    }

    internal void UnhashLocked(TaskStruct task)
    {
        foreach (var (ns, number) in Numbers)
        {
            ns.UnhashLocked(number, task);
        }
    }

    internal void Free() => _native.Free();
}
