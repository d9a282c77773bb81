using Kptr.Tracing.Tests.Making;

namespace Kptr.Tracing.Tests;

/// <summary>Made traces, and how they are compared with what was read.</summary>
internal static class Made
{
    public static TraceEvent[] Events(TraceMakerOptions options) => [.. new TraceMaker(options).Make()];

    /// <summary>Compares events one by one.</summary>
    /// <param name="read">What a reader gave.</param>
    /// <param name="made">What was written.</param>
    /// <param name="isState">Whether states are letters, as in text; records have them as numbers.</param>
    public static void Compare(IEnumerable<TraceEvent> read, IReadOnlyList<TraceEvent> made, bool isState)
    {
        var at = 0;
        foreach (var now in read)
        {
            var then = made[at++];
            now.Name.Should().Be(then.Name);
            if (then.Name != TraceEvent.LostEvents)
            {
                now.TimestampNs.Should().Be(then.TimestampNs);
                now.Pid.Should().Be(then.Pid);
                now.Cpu.Should().Be(then.Cpu);
            }

            now.Fields.Where(f => isState || f.Name != "prev_state").Should().Equal(
                then.Fields.Where(f => isState || f.Name != "prev_state"), $"event {at} is {then}");
            now.TextOf("child_comm").Should().Be(then.TextOf("child_comm"));
        }

        at.Should().Be(made.Count);
    }
}
