using System.Net;

namespace Kptr.Objects;

/// <summary>The addresses of a flow, IPv4, in host order.</summary>
/// <param name="SourceAddress">Where from.</param>
/// <param name="SourcePort">Port of it.</param>
/// <param name="DestAddress">Where to.</param>
/// <param name="DestPort">Port of it.</param>
/// <param name="Protocol">6 for TCP, 17 for UDP.</param>
public readonly record struct FlowTuple(uint SourceAddress, ushort SourcePort, uint DestAddress, ushort DestPort, byte Protocol)
{
    /// <summary>The flow in the other direction.</summary>
    public FlowTuple Reversed => new(DestAddress, DestPort, SourceAddress, SourcePort, Protocol);

    /// <summary><c>tcp 10.0.0.1:80 - 10.0.0.2:1024</c></summary>
    public override string ToString() =>
        $"{(Protocol == 6 ? "tcp" : Protocol == 17 ? "udp" : Protocol.ToString(System.Globalization.CultureInfo.InvariantCulture))} "
        + $"{Text(SourceAddress)}:{SourcePort} - {Text(DestAddress)}:{DestPort}";

    private static string Text(uint address) =>
        new IPAddress([(byte)(address >> 24), (byte)(address >> 16), (byte)(address >> 8), (byte)address]).ToString();
}
