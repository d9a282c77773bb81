using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr;

/// <summary>The live maps of one object: made for it, or the user's standing in.</summary>
internal sealed class ObjectMaps(KernelModel kernel, LoadOptions options, string objectName)
{
    private readonly List<BpfMap> _owned = [];
    private readonly List<BpfMap> _reused = [];

    /// <summary>By name in the object.</summary>
    internal ImmutableDictionary<string, BpfMap> ByName { get; private set; } =
        ImmutableDictionary<string, BpfMap>.Empty;

    /// <summary>Makes or takes all of them.</summary>
    /// <returns>In the object's order; null for those that are created only when asked for.</returns>
    internal ImmutableArray<BpfMap?> Create(ImmutableArray<MapSpec> specs)
    {
        CheckNames(specs);
        var maps = ImmutableArray.CreateBuilder<BpfMap?>(specs.Length);
        var byName = ImmutableDictionary.CreateBuilder<string, BpfMap>();
        foreach (var spec in specs)
        {
            var map = spec.Autocreate || IsTheUsers(spec.Name) ? CreateOne(BpfObject.Sized(spec, kernel)) : null;
            maps.Add(map);
            if (map is not null)
            {
                byName[spec.Name] = map;
            }
        }

        ByName = byName.ToImmutable();
        return maps.MoveToImmutable();
    }

    /// <summary>Gives up what was made and what was taken.</summary>
    internal void Dispose()
    {
        foreach (var map in _owned)
        {
            map.Dispose();
        }

        foreach (var map in _reused)
        {
            map.PutUser();
        }

        _owned.Clear();
        _reused.Clear();
        ByName = ByName.Clear();
    }

    private bool IsTheUsers(string name) => options.Reuse.ContainsKey(name) || options.Make.ContainsKey(name);

    private void CheckNames(ImmutableArray<MapSpec> specs)
    {
        foreach (var name in options.Reuse.Keys.Concat(options.Make.Keys))
        {
            if (!specs.Any(s => s.Name == name))
            {
                throw new ArgumentException(
                    $"{objectName} has no map \"{name}\"; it has {string.Join(", ", specs.Select(s => s.Name))}");
            }

            if (options.Reuse.ContainsKey(name) && options.Make.ContainsKey(name))
            {
                throw new ArgumentException($"map \"{name}\" is both reused and made");
            }
        }
    }

    private BpfMap CreateOne(MapSpec spec)
    {
        if (options.Reuse.TryGetValue(spec.Name, out var there))
        {
            return Take(there, spec);
        }

        var make = options.Make.GetValueOrDefault(spec.Name)
            ?? (spec.OwnType is { } own ? kernel.MapTypes.FirstOrDefault(t => t.Spec == own)?.Make : null);
        if (make is null)
        {
            var map = MapFactory.Create(kernel, spec);
            _owned.Add(map);
            if (MapRules.CheckMapped(spec) is var err and not Errno.None)
            {
                throw new MapCreateException(spec, err);
            }

            return map;
        }

        CheckCanBeReplaced(spec);
        var made = make(kernel, spec) ?? throw Refused(spec, "its maker made none");
        if (made.Core == kernel && !_owned.Contains(made))
        {
            _owned.Add(made);
        }

        CheckFits(made, spec);
        return made;
    }

    private BpfMap Take(BpfMap map, MapSpec spec)
    {
        CheckCanBeReplaced(spec);
        if (map is null || !map.TryHoldUser())
        {
            throw Refused(spec, map is null ? "the map to reuse is null" : $"{map} is disposed of");
        }

        _reused.Add(map);
        CheckFits(map, spec);
        return map;
    }

    // The verifier knows what such maps hold, or the loader fills them.
    private void CheckCanBeReplaced(MapSpec spec)
    {
        if (spec.Frozen || !spec.InitialValue.IsDefaultOrEmpty || spec.InitialSlots.Length > 0
            || spec.StructOps is not null || spec.Name.StartsWith('.'))
        {
            throw Refused(spec, "the object fills it, so it has no stand-in");
        }

        var err = MapRules.CheckStandIn(spec, kernel.Spec.Profile);
        if (err != Errno.None)
        {
            throw new MapCreateException(spec, err);
        }
    }

    // What libbpf asks of a map that is reused, and its special fields, which the verifier went by.
    private void CheckFits(BpfMap map, MapSpec spec)
    {
        var differs = map.Core != kernel ? "is of another kernel"
            : map.Type != spec.Type ? $"is of type {map.Type}, not {spec.Type}"
            : map.KeySize != spec.KeySize ? $"has keys of {map.KeySize} bytes, not {spec.KeySize}"
            : map.ValueSize != spec.ValueSize ? $"has values of {map.ValueSize} bytes, not {spec.ValueSize}"
            : map.Spec.MaxEntries != spec.MaxEntries ? $"has room for {map.Spec.MaxEntries}, not {spec.MaxEntries}"
            : map.Flags != spec.Flags ? $"has the flags {map.Flags}, not {spec.Flags}"
            : map.Spec.MapExtra != spec.MapExtra ? $"has the map_extra {map.Spec.MapExtra}, not {spec.MapExtra}"
            : !HaveSameInner(map.Spec.InnerMap, spec.InnerMap)
                ? $"holds {map.Spec.InnerMap?.ToString() ?? "no maps"}, not {spec.InnerMap?.ToString() ?? "maps"}"
            : !map.IsBuiltinClass && !IsUsedByOperations(spec.Type)
                ? $"is of a class of the user's, and programs use maps of type {spec.Type} in other ways as well"
            : !map.Record.HasSameFields(spec.Record) ? $"has other special fields: {map.Record}, not {spec.Record}"
            : null;
        if (differs is not null)
        {
            throw Refused(spec, $"{map} {differs}");
        }
    }

    // The verifier goes by the object's inner map: a map that holds others would let programs reach past their values.
    private static bool HaveSameInner(MapSpec? a, MapSpec? b) => a is null || b is null
        ? a is null && b is null
        : a.Type == b.Type && a.OwnType == b.OwnType && a.KeySize == b.KeySize && a.ValueSize == b.ValueSize
            && a.MaxEntries == b.MaxEntries && a.Flags == b.Flags && a.MapExtra == b.MapExtra
            && a.Record.HasSameFields(b.Record) && HaveSameInner(a.InnerMap, b.InnerMap);

    /// <summary>Whether the operations of <see cref="BpfMap"/> are all that programs do with such maps.</summary>
    private static bool IsUsedByOperations(BpfMapType type) => type is BpfMapType.Array or BpfMapType.PercpuArray
        or BpfMapType.Hash or BpfMapType.PercpuHash or BpfMapType.LruHash or BpfMapType.LruPercpuHash
        or BpfMapType.LpmTrie or BpfMapType.Rhash or BpfMapType.Queue or BpfMapType.Stack or BpfMapType.BloomFilter;

    private DiagnosticException Refused(MapSpec spec, string why) =>
        new([new(DiagCode.MapRefused, $"map '{spec.Name}': {why}") { File = objectName, Section = ".maps" }]);
}
