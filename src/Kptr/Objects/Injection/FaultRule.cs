namespace Kptr.Objects;

/// <summary>Which passes through a point fail: some in a row, or some of all by a seed.</summary>
internal sealed class FaultRule(string name, string? subject)
{
    private long _seen;

    internal string Name => name;

    internal long First { get; init; } = 1;

    internal long Times { get; init; } = 1;

    /// <summary>One pass in so many fails; 0 where passes are counted out instead.</summary>
    internal int OneIn { get; init; }

    internal int Seed { get; init; }

    /// <summary>Whether no pass can fail by it any more.</summary>
    internal bool IsSpent => OneIn == 0 && Interlocked.Read(ref _seen) - First >= Times - 1;

    /// <summary>One more pass: whether it fails.</summary>
    internal bool Takes(string point, string of)
    {
        if (point != name || (subject is not null && subject != of))
        {
            return false;
        }

        var nth = Interlocked.Increment(ref _seen);
        return OneIn == 0 ? nth >= First && nth - First < Times : Hash((ulong)nth) % (ulong)OneIn == 0;
    }

    // SplitMix64: the answer depends on the seed and the number alone, whatever threads do.
    private ulong Hash(ulong nth)
    {
        var z = ((ulong)(uint)Seed << 32) + (nth * 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
