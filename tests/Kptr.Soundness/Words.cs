namespace Kptr.Soundness;

/// <summary>Random numbers that like the edges.</summary>
internal static class Words
{
    /// <summary>Any 64-bit number: small, near a power of two, near an edge, or noise.</summary>
    internal static ulong Any(Random random) => random.Next(6) switch
    {
        0 => (ulong)random.Next(-3, 20),
        1 => (1UL << random.Next(64)) + (ulong)random.Next(-2, 3),
        2 => (ulong)(random.Next(2) == 0 ? int.MinValue : int.MaxValue) + (ulong)random.Next(-2, 3),
        3 => (ulong)(random.Next(2) == 0 ? long.MinValue : long.MaxValue) + (ulong)random.Next(-2, 3),
        4 => (uint)random.Next(),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };

    /// <summary>Any 32-bit immediate.</summary>
    internal static int Imm(Random random) => unchecked((int)Any(random));
}
