using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Kptr.Objects;

/// <summary>The addresses of a flow, in host order.</summary>
/// <param name="SourceAddress">Where from.</param>
/// <param name="SourcePort">Port of it.</param>
/// <param name="DestAddress">Where to.</param>
/// <param name="DestPort">Port of it.</param>
/// <param name="Protocol">6 for TCP, 17 for UDP.</param>
/// <param name="IsV6">Whether the addresses are IPv6, all 128 bits of them.</param>
public readonly record struct FlowTuple(
    UInt128 SourceAddress, ushort SourcePort, UInt128 DestAddress, ushort DestPort, byte Protocol, bool IsV6 = false)
{
    /// <summary>The flow in the other direction.</summary>
    public FlowTuple Reversed =>
        this with
        {
            SourceAddress = DestAddress,
            SourcePort = DestPort,
            DestAddress = SourceAddress,
            DestPort = SourcePort,
        };

    /// <summary>A flow between two addresses of one family.</summary>
    /// <exception cref="ArgumentException">The addresses are of two families.</exception>
    public static FlowTuple Between(IPEndPoint source, IPEndPoint dest, byte protocol)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(dest);
        var (from, to) = (source.Address.GetAddressBytes(), dest.Address.GetAddressBytes());
        return from.Length == to.Length
            ? new(FromNetwork(from), (ushort)source.Port, FromNetwork(to), (ushort)dest.Port,
                protocol, from.Length == 16)
            : throw new ArgumentException("the addresses are of two families", nameof(dest));
    }

    /// <summary><c>tcp 10.0.0.1:80 - 10.0.0.2:1024</c></summary>
    public override string ToString() =>
        $"{(Protocol == 6 ? "tcp" : Protocol == 17 ? "udp" : Protocol.ToString(CultureInfo.InvariantCulture))} "
        + $"{Text(SourceAddress, SourcePort)} - {Text(DestAddress, DestPort)}";

    /// <summary>An address as it stands in a packet: 4 or 16 bytes, the highest first.</summary>
    internal static UInt128 FromNetwork(ReadOnlySpan<byte> bytes) =>
        bytes.Length == 16 ? BinaryPrimitives.ReadUInt128BigEndian(bytes) : BinaryPrimitives.ReadUInt32BigEndian(bytes);

    /// <summary>Writes an address as it stands in a packet.</summary>
    internal void ToNetwork(UInt128 address, Span<byte> target)
    {
        if (IsV6)
        {
            BinaryPrimitives.WriteUInt128BigEndian(target, address);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(target, (uint)address);
        }
    }

    private string Text(UInt128 address, ushort port)
    {
        Span<byte> bytes = stackalloc byte[IsV6 ? 16 : 4];
        ToNetwork(address, bytes);
        return new IPEndPoint(new IPAddress(bytes), port).ToString();
    }
}
