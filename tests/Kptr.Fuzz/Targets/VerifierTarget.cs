using System.Buffers.Binary;
using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Isa;
using Kptr.Kfuncs;
using Kptr.Soundness;
using Kptr.Specs;
using Kptr.Verifier;

namespace Kptr.Fuzz;

/// <summary>
/// Any instructions before the verifier, over the maps and types of the soundness programs: a verdict, and what is
/// accepted runs without a fault, gives everything back and never shows a register that the verifier held impossible.
/// </summary>
/// <remarks>
/// <code>
/// section:8 flags:8 functions:8  per function: slot:16 type:16  instructions
/// </code>
/// </remarks>
internal static class VerifierTarget
{
    private const int HeaderBytes = 3;
    private const int FuncBytes = 4;
    private const int InsnsMax = 5_000;
    private const int RunsPerProgram = 2;
    private const long Fuel = 20_000;
    private const int SeedsCount = 28;
    private static readonly string[] s_sections = [
        "tc", "syscall", "tp_btf/task_newtask", "cgroup_skb/egress", "xdp", "socket",
    ];
    private static readonly KernelSpec s_kernel = BuiltinKernel.Spec(KernelProfile.Linux6_12);
    private static readonly ProgSpec?[] s_templates = new ProgSpec?[s_sections.Length];

    internal static bool Run(byte[] input)
    {
        if (input.Length < HeaderBytes || input.Length < HeaderBytes + (FuncBytes * input[2]))
        {
            return false;
        }

        var flags = input[1];
        var code = input.AsSpan(HeaderBytes + (FuncBytes * input[2]));
        var prog = Template(input[0] % s_sections.Length) with
        {
            Insns = InsnCodec.Decode(code[..(code.Length & ~7)]),
            OwnInsnCount = code.Length / BpfInsn.SizeBytes,
            FuncInfos = ReadFuncs(input),
            LoadFlags = (flags & 1) != 0 ? 1u : 0,
        };
        var options = new VerifyOptions
        {
            InsnsMax = InsnsMax, LogLevel = (flags >> 1) & 2, Privileged = (flags & 8)
                == 0, TestStateFreq = (flags & 16) != 0,
        };
        return BpfVerifier.Verify(prog, s_kernel, options).IsAccepted && IsSound(prog, input.Length);
    }

    internal static IEnumerable<byte[]> Seeds() => Enumerable.Range(1, 200).Select(ProgGenerator.Generate)
        .Select(p => p.TryLink(s_kernel, new DiagSink()) is { } linked ? Encode(p.Section, linked) : null)
        .OfType<byte[]>().Where(b => b.Length < 1200).Take(SeedsCount);

    private static bool IsSound(ProgSpec prog, int seed)
    {
        if (AcceptedProgram.TryMakeShort(prog, s_kernel, InsnsMax) is not { } accepted)
        {
            // too long where beliefs are compared as well, or refused to an unprivileged loader's advantage
            return false;
        }

        var outcome = new ProgRunner(accepted, seed, Fuel).Run(RunsPerProgram);
        Finding.Unless(outcome.Kind != RunKind.Unsound, outcome.Detail);
        return true;
    }

    private static ProgSpec Template(int section) => s_templates[section] ??=
        GeneratedProgram.Link(
            s_sections[section], [.. new[] { Asm.Mov(Asm.R0, 0), Asm.Exit() }], [], [], s_kernel, new DiagSink());

    private static ImmutableArray<FuncInfo> ReadFuncs(byte[] input)
    {
        var types = Template(0).Btf!.TypeCount;
        var funcs = Enumerable.Range(0, input[2]).Select(i => input.AsSpan(HeaderBytes + (FuncBytes * i)) is var at
            ? new FuncInfo(BinaryPrimitives.ReadUInt16LittleEndian(at),
                BinaryPrimitives.ReadUInt16LittleEndian(at[2..]) % types)
            : default);
        return [.. funcs.OrderBy(f => f.InsnIdx)];
    }

    private static byte[] Encode(string section, ProgSpec linked)
    {
        var bytes = new List<byte> { (byte)Array.IndexOf(s_sections, section), 0, (byte)linked.FuncInfos.Length };
        foreach (var func in linked.FuncInfos)
        {
            bytes.AddRange(BitConverter.GetBytes((ushort)func.InsnIdx));
            bytes.AddRange(BitConverter.GetBytes((ushort)func.TypeId));
        }

        bytes.AddRange(InsnCodec.Encode(linked.Insns.AsSpan()));
        return [.. bytes];
    }
}
