using System.Collections.Concurrent;

namespace Kptr.Objects;

/// <summary>The modelled kernel's own references on one object, by what they are for.</summary>
internal sealed class KernelUsers
{
    private readonly ConcurrentDictionary<string, int> _counts = new();

    internal void Add(string what) => _counts.AddOrUpdate(what, 1, static (_, n) => n + 1);

    internal void Remove(string what)
    {
        if (_counts.AddOrUpdate(what, 0, static (_, n) => n - 1) == 0)
        {
            // Nobody's purpose is kept for ever; one that came back meanwhile is not zero.
            _counts.TryRemove(new(what, 0));
        }
    }

    internal IEnumerable<Holder> Holders() =>
        _counts.ToArray().OrderBy(c => c.Key, StringComparer.Ordinal).SelectMany(
            c => Enumerable.Repeat<Holder>(new KernelHolder(c.Key), Math.Max(0, c.Value)));
}
