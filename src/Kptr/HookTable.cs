using System.Collections.Concurrent;
using System.Collections.Immutable;
using Kptr.Objects;

namespace Kptr;

/// <summary>Which programs are attached to what.</summary>
internal sealed class HookTable : IHookSink
{
    private readonly ConcurrentDictionary<string, ImmutableArray<BpfLink>> _links = new();

    internal void Add(BpfLink link) =>
        _links.AddOrUpdate(link.Hook, _ => [link], (_, all) => all.Add(link));

    internal void Remove(BpfLink link) =>
        _links.AddOrUpdate(link.Hook, _ => [], (_, all) => all.Remove(link));

    /// <summary>Runs the programs attached to a hook, in the order they were attached.</summary>
    public void Fire(string tracepoint, ReadOnlySpan<ulong> args)
    {
        foreach (var link in _links.GetValueOrDefault(tracepoint, []))
        {
            link.Program.RunHook(args);
        }
    }
}
