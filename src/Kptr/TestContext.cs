using System.Buffers.Binary;
using Kptr.Kfuncs;
using Kptr.Objects;
using Kptr.Specs;

namespace Kptr;

/// <summary>
/// The context of one test run: built from a <see cref="TestInput"/>, read back into a <see cref="TestOutput"/>.
/// </summary>
/// <remarks>
/// Kernel: net/bpf/test_run.c, 6.12, for packets; the other contexts cannot be test-run there and are filled alike.
/// </remarks>
internal sealed class TestContext : IDisposable
{
    private const int XdpTailroomBytes = 4096 - RunPacket.HeadroomBytes - 320;
    private const int SkbTailroomBytes = 192;
    private const int FlowKeysBytes = 56;
    private const int XdpIngressIfindex = 12;
    private readonly KernelModel _kernel;
    private readonly ContextLayout? _layout;
    private readonly ulong _block;
    private readonly ulong _flowKeys;
    private readonly Sock? _ownSocket;

    internal TestContext(BpfProgram program, TestInput input)
    {
        _kernel = program.Kernel;
        _layout = ContextLayout.Of(program.Spec.Type);
        var isLinkLayer = program.Spec.Type is ProgType.Xdp or ProgType.SchedCls or ProgType.SchedAct;
        var isSkb = _layout?.UserBytes == ContextLayout.SkBuff.UserBytes;
        if (_layout is not null && (isSkb || isLinkLayer) && input.Packet.Length < RunPacket.EthernetBytes)
        {
            throw new ArgumentException(
                $"a packet has at least {RunPacket.EthernetBytes} bytes, its Ethernet header", nameof(input));
        }

        UserBytes = Math.Max(_layout?.UserBytes ?? 0, input.Context.Length);
        SizeBytes = _layout is null ? Math.Max(UserBytes, 8) : Math.Max(_layout.SizeBytes, UserBytes);
        _block = _kernel.Heap.AllocateBlock($"context of {program.Name}", SizeBytes);
        input.Context.Span[..Math.Min(UserBytes, input.Context.Length)].CopyTo(Bytes);
        if (_layout is null)
        {
            const int isWrite = 0;
            if (input is { Context.IsEmpty: true, Sysctl.NewValue: not null })
            {
                Bytes[isWrite] = 1;
            }

            return;
        }

        var hidden = isSkb && !isLinkLayer ? RunPacket.EthernetBytes : 0;
        var hasSocket = _layout.Socket >= 0 || _layout == ContextLayout.CgroupSock;
        _ownSocket = !hasSocket || input.Socket is not null ? null
            : program.Spec.ExpectedAttachType is >= AttachType.CgroupUnixConnect and <= AttachType.CgroupUnixGetsockname
            ? new Sock(_kernel, new(0, 0, 0, 0, 0)) { Family = Sock.FamilyUnix }
            : new Sock(_kernel, FlowOf(input.Packet.Span));
        Packet = new RunPacket(
            _layout, _block, input.Packet.Span, TailroomFor(program.Spec.Type, input.Packet.Length), hidden)
        {
            IsWritable = MayWrite(program.Spec.Type),
            Socket = input.Socket ?? _ownSocket,
        };
        if (_layout.Socket >= 0)
        {
            Packet.Field<ulong>(_layout.Socket) = Packet.Socket!.Address;
        }

        if (_layout == ContextLayout.CgroupSock && input.Context.IsEmpty)
        {
            Packet.Socket!.View.CopyTo(Bytes);
        }

        if (_layout.FlowKeys >= 0)
        {
            _flowKeys = _kernel.Heap.AllocateBlock("bpf_flow_keys", FlowKeysBytes);
            Packet.Field<ulong>(_layout.FlowKeys) = _flowKeys;
        }

        if (isSkb)
        {
            FillSkb(input);
        }

        if (program.Spec.Type == ProgType.Xdp && Packet.Field<uint>(XdpIngressIfindex) == 0)
        {
            Packet.Field<uint>(XdpIngressIfindex) = Loopback.Index;
        }

        if (program.Spec.Type == ProgType.SockOps)
        {
            const int family = 20, isFullSock = 72;
            Packet.Field<uint>(family) = Packet.Socket!.Tuple.IsV6 ? 10u : 2;
            Packet.Field<uint>(isFullSock) = 1;
        }
    }

    internal ulong Address => _block;

    internal int SizeBytes { get; }

    internal RunPacket? Packet { get; }

    private int UserBytes { get; }

    private unsafe Span<byte> Bytes => new((void*)_block, SizeBytes);

    /// <summary>What the program left behind.</summary>
    internal TestOutput Output(ProgramResult result) =>
        new(result.ReturnValue, result.Fault, PacketOut(), Bytes[..UserBytes].ToArray())
        {
            RedirectTarget = Packet?.RedirectTarget,
            CloneCount = Packet?.CloneCount ?? 0,
            RedirectSocket = Packet?.RedirectSocket,
            Assigned = Packet?.Assigned,
            UnixPath = Packet?.UnixPath,
        };

    /// <summary>Gives everything back that was made for the run.</summary>
    public void Dispose()
    {
        Packet?.Dispose();
        _ownSocket?.Close();
        _kernel.Heap.TryFree(_block);
        if (_flowKeys != 0)
        {
            _kernel.Heap.TryFree(_flowKeys);
        }
    }

    private byte[] PacketOut() => Packet is null ? [] : [.. new byte[Packet.HiddenHeaderBytes], .. Packet.Bytes];

    private void FillSkb(TestInput input)
    {
        const int protocol = 16, ifindex = 40;
        Packet!.Field<uint>(protocol) = BinaryPrimitives.ReadUInt16LittleEndian(input.Packet.Span[12..]);
        if (Packet.Field<uint>(ifindex) == 0)
        {
            Packet.Field<uint>(ifindex) = Loopback.Index;
        }

        if (Packet.Socket is { } sock)
        {
            FillAddresses(sock.Tuple);
        }
    }

    // The socket's side of a packet that comes in: remote is where it came from.
    private void FillAddresses(FlowTuple tuple)
    {
        const int family = 88, remoteV4 = 92, localV4 = 96, remoteV6 = 100, localV6 = 116, remotePort =
            132, localPort = 136;
        var bytes = Bytes;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[family..], tuple.IsV6 ? 10u : 2);
        tuple.ToNetwork(tuple.DestAddress, bytes[(tuple.IsV6 ? remoteV6 : remoteV4)..]);
        tuple.ToNetwork(tuple.SourceAddress, bytes[(tuple.IsV6 ? localV6 : localV4)..]);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[(remotePort + 2)..], tuple.DestPort);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[localPort..], tuple.SourcePort);
    }

    private static int TailroomFor(ProgType type, int length) => type switch
    {
        ProgType.Xdp => Math.Max(0, XdpTailroomBytes - length),
        ProgType.CgroupSockopt => 0,
        _ => SkbTailroomBytes,
    };

    /// <summary>Kernel: <c>may_access_direct_pkt_data</c> (kernel/bpf/verifier.c, 6.12).</summary>
    private static bool MayWrite(ProgType type) =>
        type is ProgType.SchedCls or ProgType.SchedAct or ProgType.Xdp or ProgType.LwtXmit
            or ProgType.SkSkb or ProgType.SkMsg or ProgType.CgroupSockopt;

    // The addresses of an IP packet, from the receiver's point of view; a TCP socket of no address for anything else.
    private static FlowTuple FlowOf(ReadOnlySpan<byte> packet)
    {
        const byte tcp = 6, udp = 17;
        var type = packet.Length >= RunPacket.EthernetBytes ? BinaryPrimitives.ReadUInt16BigEndian(packet[12..]) : 0;
        var ip = packet[Math.Min(packet.Length, RunPacket.EthernetBytes)..];
        var (isV6, addressAt, addressBytes, headerBytes, protocolAt) = type switch
        {
            0x0800 when ip.Length >= 20 => (false, 12, 4, (ip[0] & 0xf) * 4, 9),
            0x86dd when ip.Length >= 40 => (true, 8, 16, 40, 6),
            _ => default,
        };
        if (addressBytes == 0)
        {
            return new(0, 0, 0, 0, tcp);
        }

        var protocol = ip[protocolAt];
        var hasPorts = protocol is tcp or udp && ip.Length >= headerBytes + 4;
        return new(
            FlowTuple.FromNetwork(ip.Slice(addressAt + addressBytes, addressBytes)),
            Port(ip, hasPorts, headerBytes + 2),
            FlowTuple.FromNetwork(ip.Slice(addressAt, addressBytes)), Port(ip, hasPorts, headerBytes), protocol, isV6);
    }

    private static ushort Port(ReadOnlySpan<byte> ip, bool hasPorts, int at) =>
        hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(ip[at..]) : (ushort)0;
}
