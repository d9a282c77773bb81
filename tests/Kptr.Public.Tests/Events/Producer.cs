using Kptr.Isa;
using Kptr.Maps;
using Kptr.Specs;

namespace Kptr.Public.Tests.Events;

/// <summary>A program that sends numbers to user space, through a ring buffer or perf buffers.</summary>
internal sealed class Producer : IDisposable
{
    private const string ToRing = """
        r6 = r1
        r1 = *(u64 *)(r6 + 0)
        *(u64 *)(r10 - 8) = r1
        r4 = *(u64 *)(r6 + 8)
        r1 = 0 ll
        r2 = r10
        r2 += -8
        r3 = 8
        call 130
        exit
        """;

    // A tracing program: perf output wants the context of one.
    private const string ToPerf = """
        r6 = r1
        r1 = *(u64 *)(r6 + 0)
        *(u64 *)(r10 - 8) = r1
        r1 = r6
        r2 = 0 ll
        r3 = 0xffffffff ll
        r4 = r10
        r4 += -8
        r5 = 8
        call 25
        exit
        """;

    private readonly BpfObject _object;

    internal Producer(KernelModel kernel, BpfMapType type, uint entries)
    {
        var isRing = type == BpfMapType.Ringbuf;
        MapSpec spec = new("records", type)
        {
            MaxEntries = entries, KeySize = isRing ? 0 : 4, ValueSize = isRing ? 0 : 4,
        };
        var insns = TextAssembler.Assemble(isRing ? ToRing : ToPerf).Insns.ToArray();
        var load = Array.FindIndex(insns, i => i.Opcode == 0x18);
        insns[load] = new(0x18, insns[load].Dst, BpfOp.PseudoMapFd, 0, 0);
        var prog = new ProgSpec("send", isRing ? ProgType.Syscall : ProgType.RawTracepoint, [.. insns])
        {
            SectionName = isRing ? "syscall" : "raw_tp/sys_enter", IsSleepable = isRing, License = "GPL", Maps = [spec],
        };
        _object = BpfObject.From(new("text") { Maps = [spec], Progs = [prog] }).Load(kernel);
        Send = isRing
            ? (value, flags) => _object.Programs["send"].TestRun(Context(value, flags)).ReturnValue
            : (value, _) => _object.Programs["send"].RunWithArgs(value).ReturnValue;
    }

    internal BpfMap Map => _object.Maps["records"];

    /// <summary>Sends a number with flags for the wake-up; gives what the helper gives.</summary>
    internal Func<ulong, ulong, long> Send { get; }

    public void Dispose() => _object.Dispose();

    private static byte[] Context(ulong value, ulong flags) =>
        [.. BitConverter.GetBytes(value), .. BitConverter.GetBytes(flags)];
}
