using System.Buffers.Binary;
using System.Net;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Tests.Kfuncs;

/// <summary>
/// Runs the programs on packets and sockets of <c>tests/data/run</c>: each returns 0, or the C line whose check failed.
/// </summary>
public class PacketRunTests : RunTestBase
{
    private const byte Tcp = 6;

    public static TheoryData<string> OnAPacket =>
        ["xdp_ends", "xdp_bytes", "skb_bytes", "skb_shape", "old_loads", "tunnel"];

    [Theory, MemberData(nameof(OnAPacket))]
    public void Program_OnAPacket_PassesItsChecks(string program)
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        RunOn(obj, program).ReturnValue.Should().Be(0);

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void XdpEnds_ComeBackWithThePacket()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");
        var packet = TcpPacket();

        var output = RunOn(obj, "xdp_ends", packet);

        output.Packet.Length.Should().Be(20 + packet.Length + 6);
        output.Packet.Span[0].Should().Be(0xab);
        output.Packet.Span.Slice(20, packet.Length).SequenceEqual(packet).Should().BeTrue();
    }

    [Fact]
    public void Context_OfAnSkb_ComesBackAsTheProgramLeftIt()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        var context = RunOn(obj, "skb_bytes").Context;

        BinaryPrimitives.ReadUInt32LittleEndian(context.Span[8..]).Should().Be(5, "mark");
        BinaryPrimitives.ReadUInt32LittleEndian(context.Span[52..]).Should().Be(6, "cb[1]");
    }

    [Fact]
    public void Redirect_IsNotedInTheResult()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        var output = RunOn(obj, "to_device");

        (output.ReturnValue, output.RedirectTarget).Should().Be((7, 3));
        RunOn(obj, "skb_shape").CloneCount.Should().Be(1);
    }

    [Fact]
    public void Socket_OfAPacket_HasItsAddresses()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        RunOn(obj, "of_socket").ReturnValue.Should().Be(1, "as in Linux, a test run makes a socket for the packet");

        kernel.Quiesce();
        kernel.Ledger.AssertAllReturned();
    }

    [Fact]
    public void Packet_ShorterThanItsEthernetHeader_IsRefused()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        var run = () => obj.Programs["skb_bytes"].TestRun(new TestInput { Packet = new byte[13] });

        run.Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Lookup_OfAConnectedSocket_TakesAReferenceAndGivesItBack()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "sockets");
        var socket = Open(kernel, "10.0.0.1:80", "10.0.0.2:1024");

        RunOn(obj, "connected").ReturnValue.Should().Be(0);

        socket.Count.Value.Should().Be(1, "the open socket alone");
        Close(kernel, socket);
    }

    [Fact]
    public void Lookup_OfAListener_LendsItWithoutAReference()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "sockets");
        var socket = Open(kernel, "10.0.0.1:80", "0.0.0.0:0");

        RunOn(obj, "listening").ReturnValue.Should().Be(0);

        socket.Count.Value.Should().Be(1);
        Close(kernel, socket);
    }

    [Fact]
    public void Lookup_OverIpv6_ReadsAllOfTheAddress()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "sockets");
        var socket = Open(kernel, "[::1]:443", "[::2]:1024");

        RunOn(obj, "over_v6").ReturnValue.Should().Be(0);

        socket.ToString().Should().Be("sock tcp [::1]:443 - [::2]:1024");
        Close(kernel, socket);
    }

    [Fact]
    public void Assigned_Socket_IsInTheResult()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "sockets");
        RunOn(obj, "steer").ReturnValue.Should().NotBe(0, "nobody listens");
        var socket = Open(kernel, "10.0.0.1:80", "0.0.0.0:0");

        var output = RunOn(obj, "steer");

        (output.ReturnValue, output.Assigned).Should().Be((0, socket));
        Close(kernel, socket);
    }

    [Fact]
    public void Helper_WithoutABody_IsAFaultThatNamesIt()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        var fault = obj.Programs["without_body"].TestRun(new TestInput { Packet = TcpPacket() }).Fault!;

        fault.Code.Should().Be(DiagCode.RunNoSuchCall);
        fault.Message.Should().Be("the model has no body for helper bpf_skb_get_xfrm_state#66");
        kernel.TakeFaults().Should().ContainSingle();
    }

    [Fact]
    public void Message_IsCutAndStretched()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");

        var output = obj.Programs["message"].TestRun(new TestInput { Packet = "xxab"u8.ToArray() });

        (output.ReturnValue, output.Fault).Should().Be((1, null));
        output.Packet.ToArray().Should().Equal("a!\0\0b"u8.ToArray());
    }

    [Fact]
    public void SocketOption_IsTheProgramsToChange_AndSoIsTheResult()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "packets");
        var context = new byte[40];
        context[24] = 6;

        var output = obj.Programs["option"].TestRun(
            new TestInput { Packet = new byte[] { 21 }, Context = context, Retval = -4 });

        (output.ReturnValue, output.Fault, output.Retval).Should().Be((1, null, -5));
        output.Packet.ToArray().Should().Equal(42);
    }

    [Fact]
    public void SocketAddress_AndOptions_AreTheProgramsToChange()
    {
        using var kernel = NewKernel();
        using var obj = Load(kernel, "sockets");
        var socket = Open(kernel, "10.0.0.1:80", "10.0.0.2:1024");

        var output = obj.Programs["connecting"].TestRun(new TestInput { Socket = socket });

        Seen(obj).Should().Be(0, "the line that failed");
        (output.ReturnValue, output.Fault, socket.CongestionControl).Should().Be((1, null, "reno"));
        BinaryPrimitives.ReadUInt16BigEndian(output.Context.Span[24..]).Should().Be(4321);
        Close(kernel, socket);
    }

    private static TestOutput RunOn(BpfObject obj, string program, byte[]? packet = null)
    {
        var output = obj.Programs[program].TestRun(new TestInput { Packet = packet ?? TcpPacket() });
        output.Fault.Should().BeNull();
        return output;
    }

    private static Sock Open(KernelModel kernel, string local, string remote)
    {
        var socket = new Sock(kernel, FlowTuple.Between(IPEndPoint.Parse(local), IPEndPoint.Parse(remote), Tcp));
        kernel.Sockets.Add(socket);
        return socket;
    }

    private static void Close(KernelModel kernel, Sock socket)
    {
        socket.Close();
        kernel.Quiesce();
        socket.IsFreed.Should().BeTrue();
        kernel.Ledger.AssertAllReturned();
        kernel.Faults.Should().BeEmpty();
    }

    /// <summary>10.0.0.2:1024 to 10.0.0.1:80 with 20 bytes of TCP header, its IP checksum right.</summary>
    private static byte[] TcpPacket()
    {
        var packet = new byte[14 + 20 + 20];
        packet[12] = 0x08;
        var ip = packet.AsSpan(14);
        ip[0] = 0x45;
        ip[3] = 40;
        ip[8] = 64;
        ip[9] = Tcp;
        IPAddress.Parse("10.0.0.2").GetAddressBytes().CopyTo(ip[12..]);
        IPAddress.Parse("10.0.0.1").GetAddressBytes().CopyTo(ip[16..]);
        var sum = 0u;
        for (var i = 0; i < 20; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(ip[i..]);
        }

        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~(sum % 0xffff));
        BinaryPrimitives.WriteUInt16BigEndian(ip[20..], 1024);
        BinaryPrimitives.WriteUInt16BigEndian(ip[22..], 80);
        return packet;
    }
}
