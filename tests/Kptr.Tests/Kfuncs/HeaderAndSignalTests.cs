using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using Kptr.Isa;
using Kptr.Objects;
using Kptr.Specs;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Kfuncs;

/// <summary>Helpers about headers of packets, parameters of the kernel, signals and statistics of cgroups.</summary>
public sealed class HeaderAndSignalTests : IDisposable
{
    private const int VlanPush = 18;
    private const int VlanPop = 19;
    private const int EcnSetCe = 97;
    private const int SendSignal = 109;
    private const int SysctlSetNewValue = 104;
    private readonly KernelModel _kernel = new(new() { Driver = DeferredDriver.Manual });

    public void Dispose() => _kernel.Dispose();

    [Fact]
    public void VlanPush_Twice_PutsTheFirstTagIntoThePacket_AndPopBringsItBack()
    {
        var packet = V4Packet(ecn: 0);
        BpfInsn[] push(int tci) => [Mov(R1, R6), Mov(R2, 0x81), Mov(R3, tci), Call(VlanPush)];

        var twice = RunOn(packet, [Mov(R6, R1), .. push(5), .. push(7), Mov(R0, 0), Exit()]);
        twice.Packet.Span[12..18].ToArray().Should().Equal(0x81, 0, 0, 5, 0x08, 0);
        Word(twice, 20).Should().Be(1, "a tag lies beside it");
        Word(twice, 24).Should().Be(7);

        var back = RunOn(
            packet, [Mov(R6, R1), .. push(5), .. push(7), Mov(R1, R6), Call(VlanPop), Mov(R0, 0), Exit()]);
        back.Packet.Span.SequenceEqual(packet).Should().BeTrue();
        Word(back, 24).Should().Be(5);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 1, 3)]
    [InlineData(2, 1, 3)]
    [InlineData(3, 1, 3)]
    public void EcnSetCe_MarksOnlyWhoKnowsOfIt_AndKeepsTheChecksumRight(byte ecn, long returned, byte left)
    {
        var output = RunOn(V4Packet(ecn), [Call(EcnSetCe), Exit()]);

        output.ReturnValue.Should().Be(returned);
        (output.Packet.Span[15] & 3).Should().Be(left);
        Sum(output.Packet.Span[14..34]).Should().Be(0xffff);
    }

    [Fact]
    public void Sysctl_NewValue_IsWhatTheProgramSays()
    {
        using var obj = Load(ProgType.CgroupSysctl, "cgroup/sysctl", AttachType.CgroupSysctl,
            [St(BpfOp.H, R10, -8, '9' | ('\n' << 8)), Mov(R2, R10), Add(R2, -8), Mov(R3, 2), Call(SysctlSetNewValue),
                Mov(R0, 1), Exit()]);
        var input = new TestInput { Sysctl = new("net/ipv4/tcp_mem", "1\n") { NewValue = "5\n" } };

        var output = obj.Programs["p"].TestRun(input);

        output.Fault.Should().BeNull();
        Encoding.UTF8.GetString(output.SysctlValue!.Value.Span).Should().Be("9\n");
        obj.Programs["p"].TestRun(input with { Sysctl = new("kernel/ostype", "Linux\n") })
            .SysctlValue.Should().BeNull("it is only read");
    }

    [Fact]
    public void SendSignal_EndsTheTask_OnceTheProgramIsDone()
    {
        using var obj = Load(ProgType.RawTracepoint, "raw_tp/sys_enter", default,
            [Mov(R1, 9), Call(SendSignal), Exit()]);
        var task = _kernel.Tasks.Fork(_kernel.Tasks.Init, "victim");
        using (_kernel.Tasks.Run(task))
        {
            obj.Programs["p"].RunWithArgs(0, 0).ReturnValue.Should().Be(0);
            task.Phase.Should().Be(TaskPhase.Alive);
        }

        _kernel.Quiesce();
        task.Phase.Should().NotBe(TaskPhase.Alive);
        using (_kernel.Tasks.Run(_kernel.Tasks.Init))
        {
            obj.Programs["p"].RunWithArgs(0, 0).ReturnValue.Should().Be(-1, "init cannot be ended");
        }
    }

    [Fact]
    public void Rstat_TakesChildrenFirst_AndOnce()
    {
        var parent = _kernel.Cgroups.Create("a");
        var child = _kernel.Cgroups.Create(parent, "b");
        _kernel.Cgroups.NoteUpdated(child, 1);
        _kernel.Cgroups.NoteUpdated(child, 0);

        _kernel.Cgroups.TakeUpdated(parent).Should().Equal((child, 0), (parent, 0), (child, 1), (parent, 1));
        _kernel.Cgroups.TakeUpdated(parent).Should().BeEmpty();
        _kernel.Cgroups.TakeUpdated(_kernel.Cgroups.Root).Should().HaveCount(2, "the root was noted, too");
    }

    private static uint Word(TestOutput output, int offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(output.Context.Span[offset..]);

    private static byte[] V4Packet(byte ecn)
    {
        var packet = new byte[64];
        packet[12] = 0x08;
        (packet[14], packet[15], packet[22], packet[23]) = (0x45, (byte)(0x28 | ecn), 64, 6);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(24), (ushort)~Sum(packet.AsSpan(14, 20)));
        return packet;
    }

    private static ushort Sum(ReadOnlySpan<byte> header)
    {
        var sum = 0u;
        for (var i = 0; i < header.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(header[i..]);
        }

        return (ushort)((sum & 0xffff) + (sum >> 16));
    }

    private TestOutput RunOn(byte[] packet, ImmutableArray<BpfInsn> insns)
    {
        using var obj = Load(ProgType.SchedCls, "tc", default, insns);
        var output = obj.Programs["p"].TestRun(new TestInput { Packet = packet });
        output.Fault.Should().BeNull();
        return output;
    }

    private BpfObject Load(ProgType type, string section, AttachType attach, ImmutableArray<BpfInsn> insns) =>
        BpfObject.From(new("o")
        {
            License = "GPL",
            Progs = [new("p", type, insns) { SectionName = section, ExpectedAttachType = attach }],
        }).Load(_kernel);
}
