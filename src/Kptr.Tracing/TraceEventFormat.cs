using System.Collections.Immutable;
using System.Globalization;
using Kptr.Tracing.Text;

namespace Kptr.Tracing;

/// <summary>How an event's record lies in memory, as its <c>format</c> file in tracefs says.</summary>
/// <remarks>Does not change; safe for any number of threads.</remarks>
public sealed class TraceEventFormat
{
    private const int RecordBytesMax = 64 * 1024;

    private TraceEventFormat(string system, string name, int id, ImmutableArray<TraceFieldFormat> fields)
    {
        System = system;
        Name = name;
        Id = id;
        Fields = fields;
    }

    /// <summary>The system it belongs to (<c>sched</c>).</summary>
    public string System { get; }

    /// <summary>The event's name (<c>sched_switch</c>).</summary>
    public string Name { get; }

    /// <summary>The number by which records of its kernel name it (<c>common_type</c>).</summary>
    public int Id { get; }

    /// <summary>All its fields, the common ones first.</summary>
    public ImmutableArray<TraceFieldFormat> Fields { get; }

    /// <summary>Reads a <c>format</c> file of tracefs.</summary>
    /// <param name="system">The system it belongs to.</param>
    /// <param name="text">The whole file.</param>
    /// <exception cref="TraceFormatException">It is none. Lines and offsets are those of the text.</exception>
    public static TraceEventFormat Parse(string system, string text)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(text);
        return Parse(system, text, $"format of an event of {system}", 0);
    }

    /// <summary>Lays an event out as the kernel would have.</summary>
    /// <returns>The record; fields that the event lacks are zero.</returns>
    /// <remarks>Texts behind a <c>__data_loc</c> come last, in the order of their fields.</remarks>
    public byte[] Encode(TraceEvent from)
    {
        ArgumentNullException.ThrowIfNull(from);
        var fixedBytes = Fields.IsEmpty ? 0 : Fields.Max(f => f.OffsetBytes + f.SizeBytes);
        var record = new byte[fixedBytes];
        foreach (var field in Fields)
        {
            field.Encode(this, from, ref record);
        }

        return record;
    }

    /// <summary>System and name.</summary>
    public override string ToString() => $"{System}:{Name}";

    internal static TraceEventFormat Parse(string system, string text, string source, long offset)
    {
        string? name = null;
        var id = -1;
        List<TraceFieldFormat> fields = [];
        var line = 0;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            line++;
            var at = text.AsSpan(range).Trim();
            if (at.StartsWith("name:"))
            {
                name = at[5..].Trim().ToString();
            }
            else if (at.StartsWith("ID:"))
            {
                id = int.TryParse(at[3..], NumberStyles.None | NumberStyles.AllowLeadingWhite,
                    CultureInfo.InvariantCulture, out var number) ? number : -1;
            }
            else if (at.StartsWith("field"))
            {
                var field = TraceFieldFormat.TryParse(at.ToString());
                if (field is null || field.OffsetBytes + field.SizeBytes > RecordBytesMax)
                {
                    throw new TraceFormatException(
                        source, line, offset + range.Start.Value, $"this is no field of an event: {at}");
                }

                fields.Add(field);
            }
        }

        return string.IsNullOrEmpty(name) || id is < 0 or > ushort.MaxValue
            ? throw new TraceFormatException(source, line, offset, "the format of an event has no name or no ID")
            : new(system, name, id, [.. fields]);
    }

    /// <summary>The fields of a record that are its own, not those common to all events.</summary>
    internal TraceField[] Decode(ReadOnlySpan<byte> record, bool isBigEndian, NameCache names)
    {
        var own = new TraceField[Fields.Length];
        var count = 0;
        foreach (var field in Fields)
        {
            if (!field.IsCommon)
            {
                own[count++] = field.Decode(record, isBigEndian, names);
            }
        }

        return own.AsSpan(0, count).ToArray();
    }
}
