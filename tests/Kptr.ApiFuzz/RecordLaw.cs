using System.Reflection;

namespace Kptr.ApiFuzz;

/// <summary>
/// A record copied with every property of another is the other: what a record works out from its properties must
/// follow them through <c>with</c>.
/// </summary>
internal static class RecordLaw
{
    private const BindingFlags Hidden = BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.Instance;

    /// <summary>
    /// Which property does not follow; null where all do, or where the record has a part that can be given to its
    /// constructor alone.
    /// </summary>
    internal static string? Breach(object record, object other)
    {
        var type = record.GetType();
        var settable = type.GetProperties(Hidden)
            .Where(p => p.GetIndexParameters().Length == 0 && p.CanRead).ToLookup(p => Surface.IsInit(p.SetMethod));
        if (type != other.GetType() || type.GetMethod("<Clone>$", Hidden) is not { } clone
            || !type.GetConstructors().Any(c => c.GetParameters().All(
                p => settable[true].Any(s => string.Equals(s.Name, p.Name, StringComparison.OrdinalIgnoreCase)))))
        {
            return null;
        }

        var copy = clone.Invoke(record, null)!;
        foreach (var property in settable[true])
        {
            property.SetValue(copy, property.GetValue(other));
        }

        // Equals compares every field, also those that no property shows.
        return copy.Equals(other) ? null
            : settable[false].FirstOrDefault(p => !Equals(p.GetValue(copy), p.GetValue(other)))?.Name ?? "a field";
    }
}

/// <summary>A record broke <see cref="RecordLaw"/>.</summary>
internal sealed class RecordLawException(string message) : Exception(message);
