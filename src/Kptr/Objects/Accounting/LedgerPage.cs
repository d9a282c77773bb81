using System.Globalization;
using System.Text.Json;

namespace Kptr.Objects;

/// <summary>A snapshot as the facts of a report page.</summary>
internal static class LedgerPage
{
    /// <summary>One line of it.</summary>
    public static string Summary(LedgerSnapshot snapshot)
    {
        var users = snapshot.Entries.Where(e => !e.Holder.IsKernel).ToList();
        var objects = users.DistinctBy(e => e.Address).Count();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{users.Count} references on {objects} objects, {snapshot.PinnedBytes()} bytes");
    }

    /// <summary>The object that the page calls <c>ledger</c>.</summary>
    public static void Write(Utf8JsonWriter json, LedgerSnapshot snapshot)
    {
        json.WriteStartObject("ledger");
        json.WriteNumber("time_ns", snapshot.TimeNs);
        json.WriteStartArray("entries");
        foreach (var entry in snapshot.Entries)
        {
            json.WriteStartObject();
            json.WriteString("object", entry.Object);
            json.WriteString("address", entry.Address.ToString("x", CultureInfo.InvariantCulture));
            json.WriteString("holder", entry.Holder.ToString());
            json.WriteString("map", (entry.Holder as MapHolder)?.Map);
            json.WriteString("since", entry.HeldSince.IsKnown ? entry.HeldSince.ToString() : null);
            json.WriteString("acquired", entry.AcquiredAt.IsKnown ? entry.AcquiredAt.ToString() : null);
            json.WriteNumber("acquired_ns", entry.AcquiredNs);
            json.WriteNumber("bytes", entry.SizeBytes);
            json.WriteBoolean("kernel", entry.Holder.IsKernel);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
