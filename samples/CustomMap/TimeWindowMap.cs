using System.Diagnostics.CodeAnalysis;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace CustomMap;

/// <summary>What the window keeps of a task; <c>struct seen_task</c> of the program.</summary>
[SuppressMessage("Design", "CA1051", Justification = "the struct is the value in memory")]
[SuppressMessage("Performance", "CA1815", Justification = "it is never compared")]
public struct SeenTask
{
    /// <summary>The task; found as a special field by its type.</summary>
    public Kptr<TaskStruct> Task;

    /// <summary>How often it was seen in the window.</summary>
    public ulong Times;
}

/// <summary>Tasks by pid; an entry leaves a while after it was made, and takes its task with it.</summary>
/// <remarks>
/// A map type over <see cref="KeyedMap"/>, which does what all keyed maps do; what is special about this one is that
/// elements grow old. It works under both destroy policies without looking at them.
/// </remarks>
public sealed class TimeWindowMap(KernelCore core, MapSpec spec, TimeSpan window)
    : KeyedMap(core, spec), ITypedMap<int, SeenTask>
{
    public TimeWindowMap(KernelCore core, string name, uint maxEntries, TimeSpan window)
        : this(core, StructSpec.Of<int, SeenTask>(core, name, BpfMapType.Hash, maxEntries), window)
    {
    }

    BpfMap ITypedMap<int, SeenTask>.Map => this;

    /// <summary>Lets go of what has left the window.</summary>
    /// <returns>Tasks that are still in it.</returns>
    public int Expire() => RemoveWhere(DeathPath.Evict, slot => AgeOf(slot) >= window);

    protected override ulong FindValue(ReadOnlySpan<byte> key, in MapCall caller)
    {
        Expire();
        return base.FindValue(key, caller);
    }

    protected override Errno ReadValue(
        ReadOnlySpan<byte> key, Span<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        Expire();
        return base.ReadValue(key, value, flags, caller);
    }

    protected override Errno UpdateValue(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdateFlags flags, in MapCall caller)
    {
        Expire();
        return base.UpdateValue(key, value, flags, caller);
    }
}
