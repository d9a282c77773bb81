using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Kptr.Btf;
using Kptr.Diagnostics;
using Kptr.Specs;

namespace Kptr;

/// <summary>The global variables of one object, and what is set of them before it is loaded.</summary>
/// <remarks>Values are kept a section; each set replaces the section's whole content, so that any thread may.</remarks>
internal sealed class ObjectVariables : IReadOnlyDictionary<string, BpfVariable>
{
    private const string ArenaSection = ".addr_space.1";
    private readonly ObjectSpec _spec;
    private readonly ImmutableSortedDictionary<string, BpfVariable> _byName;
    private readonly ConcurrentDictionary<BpfVariable, bool> _changed = [];
    private ImmutableDictionary<string, ImmutableArray<byte>> _set =
        ImmutableDictionary<string, ImmutableArray<byte>>.Empty;

    internal ObjectVariables(BpfObject owner)
    {
        _spec = owner.Spec;
        var all = Sections(_spec).SelectMany(s => VariablesOf(s, owner, this)).ToList();
        var counts = all.CountBy(v => v.Name).ToDictionary();
        _byName = all.DistinctBy(v => (v.Section, v.Name)).ToImmutableSortedDictionary(
            v => counts[v.Name] == 1 ? v.Name : $"{v.Section}/{v.Name}", v => v, StringComparer.Ordinal);
    }

    public IEnumerable<string> Keys => _byName.Keys;

    public IEnumerable<BpfVariable> Values => _byName.Values;

    public int Count => _byName.Count;

    public BpfVariable this[string key] => _byName.TryGetValue(key, out var variable) ? variable
        : throw new KeyNotFoundException(
            $"{_spec.Name} has no variable \"{key}\"; {NearNames.Text(key, _byName.Keys)}");

    public override string ToString() => $"{Count} variables of {_spec.Name}";

    public bool ContainsKey(string key) => _byName.ContainsKey(key);

    public bool TryGetValue(string key, [MaybeNullWhen(false)] out BpfVariable value) =>
        _byName.TryGetValue(key, out value);

    public IEnumerator<KeyValuePair<string, BpfVariable>> GetEnumerator() => _byName.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The content of a section as it would be loaded now.</summary>
    internal ReadOnlySpan<byte> ContentOf(MapSpec section) =>
        (Volatile.Read(ref _set).TryGetValue(section.Name, out var set) ? set : Initial(section)).AsSpan();

    /// <summary>Changes a variable's part of its section.</summary>
    internal void Set(BpfVariable variable, MapSpec section, ReadOnlySpan<byte> bytes)
    {
        var copy = bytes.ToArray();
        _changed[variable] = true;
        ImmutableInterlocked.AddOrUpdate(
            ref _set, section.Name, _ => Changed(Initial(section)), (_, content) => Changed(content));

        ImmutableArray<byte> Changed(ImmutableArray<byte> content)
        {
            var changed = content.ToArray();
            copy.CopyTo(changed, variable.OffsetBytes);
            return [.. changed];
        }
    }

    /// <summary>The object with what was set: verified and created with these values.</summary>
    internal ObjectSpec Applied()
    {
        var set = Volatile.Read(ref _set);
        return set.IsEmpty ? _spec : _spec with
        {
            Maps = [.. _spec.Maps.Select(
                m => set.TryGetValue(m.Name, out var content) ? m with { InitialValue = content } : m)],
        };
    }

    /// <summary>Asks of what was set whether C# may set it, which the kernel's types tell.</summary>
    /// <exception cref="DiagnosticException">A variable has a lock, a kptr or the like.</exception>
    internal void CheckArePlain(ObjectSpec linked)
    {
        foreach (var variable in _changed.Keys)
        {
            var record = linked.Maps.First(m => m.Name == variable.Section).Record;
            if (record.Overlaps(variable.OffsetBytes, variable.SizeBytes))
            {
                throw new DiagnosticException([new(
                    DiagCode.MapRefused, $"{variable} was set, and has fields that only programs change: {record}")
                {
                    File = _spec.Name, Section = variable.Section, OffsetBytes = variable.OffsetBytes,
                }]);
            }
        }
    }

    private static ImmutableArray<byte> Initial(MapSpec section) =>
        section.InitialValue.IsDefaultOrEmpty ? [.. new byte[section.ValueSize]] : section.InitialValue;

    private static IEnumerable<MapSpec> Sections(ObjectSpec spec) => spec.Maps.Where(m => m.Btf is not null
        && (m.Type == BpfMapType.Arena || (m.Name.StartsWith('.') && m.Type == BpfMapType.Array)));

    /// <summary>The type of a section, which no arena names; <c>void</c> where it has none.</summary>
    private static BtfType TypeOf(MapSpec section, BtfSpec btf)
    {
        var type = btf[section.Type == BpfMapType.Arena ? btf.FindId(ArenaSection, BtfKind.DataSec)
            : section.ValueTypeId];
        return type.Kind == BtfKind.DataSec ? type : btf[0];
    }

    private static IEnumerable<BpfVariable> VariablesOf(MapSpec section, BpfObject owner, ObjectVariables values)
    {
        var type = TypeOf(section, section.Btf!);
        var sizeBytes = section.Type == BpfMapType.Arena ? Initial(section).Length : section.ValueSize;
        for (var i = 0; i < type.VLen; i++)
        {
            var info = type.Var(i);
            var variable = section.Btf![info.TypeId];
            if (variable is { Kind: BtfKind.Var, Name.Length: > 0 } && info.OffsetBytes >= 0 && info.SizeBytes > 0
                && (long)info.OffsetBytes + info.SizeBytes <= sizeBytes)
            {
                yield return new(owner, values, section, variable.Name, info);
            }
        }
    }
}
