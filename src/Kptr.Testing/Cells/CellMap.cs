using Kptr.Maps;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr.Testing.Cells;

/// <summary>The map that cells are about: how it is made, and what it is, as far as answers depend on it.</summary>
internal sealed class CellMap
{
    internal CellMap(MapSource source, MapCapabilities can, MapSpec spec, BpfMap made)
    {
        Source = source;
        Can = can;
        Type = made.Type;
        IsPercpu = made.IsPerCpu;
        Capacity = made.MaxEntries;
        IsBuiltin = made.GetType().Assembly == typeof(BpfMap).Assembly;
        InnerType = spec.InnerMap?.Type;
    }

    internal MapSource Source { get; }

    internal MapCapabilities Can { get; }

    internal BpfMapType Type { get; }

    internal uint Capacity { get; }

    /// <summary>Whether the class is one of Kptr's own: those refuse fields that their type cannot have.</summary>
    internal bool IsBuiltin { get; }

    internal bool IsPercpu { get; }

    internal bool IsStorage => Can.Keys == MapKeys.Owner;

    internal bool IsArray => Can.Keys == MapKeys.Index && !IsOuter;

    internal bool IsIndexed => Can.Keys == MapKeys.Index;

    /// <summary>Whether memory of deleted elements waits for readers, and is emptied then.</summary>
    internal bool IsKept => Can.KeptFor != GracePeriods.None;

    internal bool IsEvicting => Can.WhenFull == WhenFull.Evict;

    internal bool IsOuter => Type is BpfMapType.ArrayOfMaps or BpfMapType.HashOfMaps;

    internal bool IsInner => Can.IsHeldByOuter;

    /// <summary>The type of the map that holds the fields.</summary>
    internal BpfMapType ValueType => InnerType ?? Type;

    /// <summary>What its values are tried with.</summary>
    internal IReadOnlyList<CellFields> Fields => Source.HasSpec ? CellFields.All : [CellFields.Own];

    private BpfMapType? InnerType { get; }

    /// <summary>
    /// The blueprint of a cell's map; of maps that are not made from one, what they say of themselves.
    /// </summary>
    internal MapSpec SpecOf(KernelCore kernel, CellFields fields) =>
        fields == CellFields.Own
            ? Source.SpecOf(kernel) : CellTypes.Apply(Source.SpecOf(kernel), fields, kernel.Spec);
}

/// <summary>How the maps under test are made.</summary>
internal sealed class MapSource
{
    private readonly Func<KernelCore, MapSpec>? _spec;
    private readonly Func<KernelCore, MapSpec, BpfMap>? _make;
    private readonly Func<KernelCore, BpfMap>? _factory;

    /// <summary>As they are, one like the other.</summary>
    internal MapSource(Func<KernelCore, BpfMap> factory) => _factory = factory;

    /// <summary>From blueprints, which the kit may change.</summary>
    internal MapSource(Func<KernelCore, MapSpec> spec, Func<KernelCore, MapSpec, BpfMap> make) =>
        (_spec, _make) = (spec, make);

    internal bool HasSpec => _spec is not null;

    internal BpfMap Make(KernelCore kernel) =>
        _factory is null ? Make(kernel, SpecOf(kernel)) : Sure(kernel, _factory(kernel));

    internal BpfMap Make(KernelCore kernel, MapSpec spec) =>
        _make is null ? Make(kernel) : Sure(kernel, _make(kernel, spec));

    /// <summary>The blueprint; of maps that are not made from one, that of the map it makes.</summary>
    internal MapSpec SpecOf(KernelCore kernel)
    {
        if (_spec is not null)
        {
            return _spec(kernel) ?? throw new InvalidOperationException("there is no blueprint: it is null");
        }

        using var map = Make(kernel);
        return map.Spec;
    }

    // What is compared is the kernel's: a map of another one has other CPUs, objects and ledger.
    private static BpfMap Sure(KernelCore kernel, BpfMap? map) =>
        map is null ? throw new InvalidOperationException("the factory made nothing: it returned null")
        : map.Core == kernel ? map
        : throw new InvalidOperationException("the factory made a map of another kernel than it was given");
}
