using System.Runtime.InteropServices;
using Kptr.Diagnostics;
using Kptr.Objects;

namespace Kptr.Kfuncs;

/// <summary>The packet (or message, or option value) that one run works on, and its context.</summary>
/// <remarks>
/// The bytes lie in memory of their own with room before and behind, as in a driver's buffer. A program may touch
/// exactly what lies between <c>data_meta</c> and <c>data_end</c>; whoever moves these ends takes the old pointers
/// away. Belongs to the thread of the run.
/// </remarks>
internal sealed unsafe class RunPacket : IDisposable
{
    /// <summary>Room before the packet (<c>XDP_PACKET_HEADROOM</c>).</summary>
    internal const int HeadroomBytes = 256;

    /// <summary>Length of an Ethernet header (<c>ETH_HLEN</c>).</summary>
    internal const int EthernetBytes = 14;

    private const int NetOff = -0x100000; // SKF_NET_OFF
    private const int LinkOff = -0x200000; // SKF_LL_OFF
    private readonly ContextLayout _layout;
    private readonly Dictionary<string, KernelStruct> _parts = [];
    private byte* _buffer;
    private int _capacity;
    private int _start;
    private int _hiddenStart;
    private ICallbackRunner? _runner;
    private (ulong Address, int SizeBytes) _shown;

    /// <summary>Copies the bytes into a fresh buffer.</summary>
    /// <param name="layout">What the context looks like.</param>
    /// <param name="contextAddress">Where it lies.</param>
    /// <param name="bytes">The packet, with the header that the program does not see.</param>
    /// <param name="tailroomBytes">Room behind it.</param>
    /// <param name="hiddenHeaderBytes">Bytes of that header.</param>
    internal RunPacket(
        ContextLayout layout, ulong contextAddress, ReadOnlySpan<byte> bytes, int tailroomBytes, int hiddenHeaderBytes)
    {
        _layout = layout;
        ContextAddress = contextAddress;
        HiddenHeaderBytes = hiddenHeaderBytes;
        _hiddenStart = HeadroomBytes;
        _start = HeadroomBytes + hiddenHeaderBytes;
        _capacity = HeadroomBytes + bytes.Length + tailroomBytes;
        _buffer = (byte*)NativeMemory.AllocZeroed((nuint)_capacity);
        Length = bytes.Length - hiddenHeaderBytes;
        bytes.CopyTo(BytesFromMac);
    }

    /// <summary>What <c>r1</c> held when the program began.</summary>
    internal ulong ContextAddress { get; }

    /// <summary>Whether it is XDP's: no link to a socket, and the ends move within one page.</summary>
    internal bool IsXdp => _layout == ContextLayout.Xdp;

    /// <summary>Whether the context is a <c>__sk_buff</c>.</summary>
    internal bool IsSkb => _layout.UserBytes == ContextLayout.SkBuff.UserBytes;

    /// <summary>Whether the context is a <c>bpf_sock_addr</c>, which has no packet.</summary>
    internal bool IsSockAddr => _layout == ContextLayout.SockAddr;

    /// <summary>The path that the program chose for a Unix socket; null for none.</summary>
    internal byte[]? UnixPath { get; set; }

    /// <summary>Bytes of the packet.</summary>
    internal int Length { get; private set; }

    /// <summary>Bytes of metadata right before it.</summary>
    internal int MetaBytes { get; private set; }

    /// <summary>Bytes of the link layer's header that the program does not see.</summary>
    internal int HiddenHeaderBytes { get; }

    /// <summary>Address of the first byte.</summary>
    internal ulong Data => (ulong)_buffer + (ulong)_start;

    /// <summary>The packet.</summary>
    internal Span<byte> Bytes => new(_buffer + _start, Length);

    /// <summary>The packet from its link layer's header on, hidden or not.</summary>
    internal Span<byte> BytesFromMac => BytesFrom(MacStart);

    /// <summary>The packet from its network layer's header on; empty where it is too short.</summary>
    internal Span<byte> BytesFromNetwork => BytesFrom(MacStart + EthernetBytes);

    /// <summary>Where a legacy load (<c>ld_abs</c>, <c>ld_ind</c>) finds its bytes.</summary>
    /// <param name="off">From the first byte; negative from a header (<c>SKF_NET_OFF</c>, <c>SKF_LL_OFF</c>).</param>
    /// <returns>Empty where there are none, as <c>bpf_internal_load_pointer_neg_helper</c> has it.</returns>
    internal Span<byte> BytesAt(int off) => off switch
    {
        >= 0 => off <= Length ? Bytes[off..] : [],
        >= NetOff => BytesFrom(MacStart + EthernetBytes + ((long)off - NetOff)),
        >= LinkOff => BytesFrom(MacStart + ((long)off - LinkOff)),
        _ => [],
    };

    /// <summary>Whether programs of this type may write through packet pointers.</summary>
    internal bool IsWritable { get; init; }

    /// <summary>The socket it belongs to, or that the context is about; null for none.</summary>
    internal Sock? Socket { get; set; }

    /// <summary>
    /// The socket that the program chose (<c>bpf_sk_assign</c>); the run owns a reference where it is a counted one.
    /// </summary>
    internal Sock? Assigned { get; set; }

    /// <summary>Index of the device, or of the map's entry, that the program redirected to; null for none.</summary>
    internal long? RedirectTarget { get; set; }

    /// <summary>The socket that the program sent it to; no reference goes with it. Null for none.</summary>
    internal Sock? RedirectSocket { get; set; }

    /// <summary>The tunnel that it is to go through (<c>struct bpf_tunnel_key</c>); null for none.</summary>
    internal byte[]? TunnelKey { get; set; }

    /// <summary>Whether the tunnel's ends are IPv6.</summary>
    internal bool IsTunnelV6 { get; set; }

    /// <summary>The tunnel's options; empty for none.</summary>
    internal byte[] TunnelOpt { get; set; } = [];

    /// <summary>Copies that the program sent elsewhere.</summary>
    internal int CloneCount { get; set; }

    /// <summary>From now on the run sees the bytes.</summary>
    internal void Show(ICallbackRunner runner)
    {
        _runner = runner;
        Publish();
    }

    /// <summary>A field of the context.</summary>
    internal ref T Field<T>(int offset)
        where T : unmanaged => ref *(T*)(ContextAddress + (ulong)offset);

    /// <summary>Moves the first byte, by a negative number to make the packet longer.</summary>
    /// <param name="delta">Bytes.</param>
    /// <param name="reservedBytes">Room at the start of the buffer that must stay.</param>
    /// <returns>False, and nothing is changed, where there is no such place.</returns>
    internal bool TryMoveStart(int delta, int reservedBytes = 0)
    {
        if (delta > Length || _start + (long)delta - MetaBytes < reservedBytes)
        {
            return false;
        }

        Buffer.MemoryCopy(_buffer + _start - MetaBytes, _buffer + _start + delta - MetaBytes, MetaBytes, MetaBytes);
        _start += delta;
        Length -= delta;
        Publish();
        return true;
    }

    /// <summary>Moves the last byte, by a positive number to make the packet longer; new bytes are zero.</summary>
    internal bool TryMoveEnd(int delta)
    {
        if (Length + (long)delta < 0 || _start + (long)Length + delta > _capacity)
        {
            return false;
        }

        var old = Length;
        Length += delta;
        Bytes[Math.Min(old, Length)..].Clear();
        Publish();
        return true;
    }

    /// <summary>Makes the metadata so long; false where there is no room.</summary>
    internal bool TrySetMeta(int sizeBytes, int reservedBytes)
    {
        if (_start - sizeBytes < reservedBytes)
        {
            return false;
        }

        MetaBytes = sizeBytes;
        Publish();
        return true;
    }

    /// <summary>
    /// Puts zero bytes in, or takes bytes out where the count is negative, without a limit on the size.
    /// </summary>
    internal void Insert(int at, int count)
    {
        var old = Bytes.ToArray();
        var length = Length + count;
        var fresh = (byte*)NativeMemory.AllocZeroed((nuint)(HeadroomBytes + length + HeadroomBytes));
        var target = new Span<byte>(fresh + HeadroomBytes, length);
        old.AsSpan(0, at).CopyTo(target);
        old.AsSpan(at + Math.Max(0, -count)).CopyTo(target[(at + Math.Max(0, count))..]);
        var hidden = new ReadOnlySpan<byte>(_buffer + _hiddenStart, HiddenHeaderBytes);
        _hiddenStart = HeadroomBytes - HiddenHeaderBytes;
        hidden.CopyTo(new Span<byte>(fresh + _hiddenStart, HiddenHeaderBytes));
        NativeMemory.Free(_buffer);
        _buffer = fresh;
        (_start, Length, MetaBytes) = (HeadroomBytes, length, 0);
        _capacity = HeadroomBytes + length + HeadroomBytes;
        Publish();
    }

    /// <summary>A kernel struct that describes the packet, made when first asked for; it goes with the run.</summary>
    internal KernelStruct Part(KernelCore core, string typeName, IReadOnlyList<FieldSpec> fields)
    {
        if (!_parts.TryGetValue(typeName, out var part))
        {
            _parts[typeName] = part = new(core, typeName, fields);
        }

        return part;
    }

    /// <summary>Gives everything back. The run is over.</summary>
    public void Dispose()
    {
        foreach (var part in _parts.Values)
        {
            part.Free();
        }

        NativeMemory.Free(_buffer);
        _buffer = null;
        if (Assigned is { IsRefcounted: true } sock)
        {
            sock.ReleaseCount();
        }
    }

    private int MacStart => HiddenHeaderBytes == 0 ? _start : _hiddenStart;

    private Span<byte> BytesFrom(long at) =>
        at <= _start + Length ? new(_buffer + at, (int)(_start + Length - at)) : [];

    private void Publish()
    {
        PutPointer(_layout.Data, 0);
        PutPointer(_layout.DataEnd, Length);
        PutPointer(_layout.DataMeta, -MetaBytes);
        if (_layout.Length >= 0)
        {
            Field<uint>(_layout.Length) = (uint)Length;
        }

        if (_runner is not null)
        {
            var now = (Data - (ulong)MetaBytes, Length + MetaBytes);
            _runner.MoveRegion(_shown.Address, now.Item1, now.Item2, IsWritable);
            _shown = now;
        }
    }

    private void PutPointer(int field, int offset)
    {
        if (field >= 0)
        {
            Field<ulong>(field) = Data + (ulong)offset;
        }
    }
}

/// <summary>How helpers and kfuncs get at the run's packet.</summary>
internal static class RunPacketExtensions
{
    /// <summary>The packet whose context the program passed.</summary>
    /// <exception cref="ProgramFaultException">It is not the context of this run, or that has no packet.</exception>
    internal static RunPacket PacketAt(this ProgContext ctx, ulong context) =>
        ctx.Packet is { } packet && packet.ContextAddress == context
            ? packet
            : throw new ProgramFaultException(
                DiagCode.CallNotModelled, $"{context:x} is no context with a packet; the run was given none");
}
