namespace Kptr.Maps;

/// <summary>A record that a program sent to user space.</summary>
/// <param name="Value">The record's first bytes, as the struct it is taken for.</param>
/// <param name="Bytes">All of it; the receiver's own.</param>
/// <param name="Cpu">The CPU whose perf buffer it came through; -1 from a ring buffer, which all CPUs share.</param>
/// <param name="LostBefore">Records of that CPU that found its buffer full since the last one that was sent.</param>
/// <typeparam name="T">What it is taken for.</typeparam>
public readonly record struct RingRecord<T>(T Value, ReadOnlyMemory<byte> Bytes, int Cpu, long LostBefore)
    where T : unmanaged
{
    /// <summary>Length and where it came through.</summary>
    public override string ToString() => $"{Bytes.Length} bytes{(Cpu < 0 ? "" : $" of CPU {Cpu}")}"
        + (LostBefore == 0 ? "" : $", {LostBefore} lost before");
}
