using System.Globalization;

namespace Kptr.Tracing;

/// <summary>One field of a traced event: a number, or text where it is none.</summary>
/// <param name="Name">As the event's format calls it (<c>prev_pid</c>).</param>
/// <param name="Number">The number; an unsigned 64-bit one as its bits. 0 where there is text.</param>
/// <param name="Text">The text; null where it is a number.</param>
public readonly record struct TraceField(string Name, long Number, string? Text = null)
{
    /// <summary>Name and value, as trace files print them.</summary>
    public override string ToString() =>
        $"{Name}={Text ?? Number.ToString(CultureInfo.InvariantCulture)}";
}
