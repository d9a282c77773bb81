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
    private const int KernelShift = 6;
    private const int InsnsMax = 5_000;
    private const int RunsPerProgram = 2;
    private const long Fuel = 20_000;
    private const int SeedsCount = 28;
    private static readonly string[] s_sections = [
        "tc", "syscall", "tp_btf/task_newtask", "cgroup_skb/egress", "xdp", "socket",
    ];

    // 6.12 for the seeds of the first years; the rules of the others differ, so do the numbers of their types.
    private static readonly KernelSpec[] s_kernels =
    [
        BuiltinKernel.Spec(KernelProfile.Linux6_12), BuiltinKernel.Spec(KernelProfile.Linux7_2),
        BuiltinKernel.Spec(KernelProfile.Linux6_1),
    ];

    private static readonly Dictionary<(int Section, KernelSpec Kernel), ProgSpec> s_templates = [];

    internal static bool Run(byte[] input)
    {
        if (input.Length < HeaderBytes || input.Length < HeaderBytes + (FuncBytes * input[2]))
        {
            return false;
        }

        var flags = input[1];
        var kernel = s_kernels[(flags >> KernelShift) % s_kernels.Length];
        var code = input.AsSpan(HeaderBytes + (FuncBytes * input[2]));
        var prog = Template(input[0] % s_sections.Length, kernel) with
        {
            Insns = InsnCodec.Decode(code[..(code.Length & ~7)]),
            OwnInsnCount = code.Length / BpfInsn.SizeBytes,
            FuncInfos = ReadFuncs(input),
            LoadFlags = (flags & 1) != 0 ? 1u : 0,
        };
        var options = new VerifyOptions
        {
            InsnsMax = InsnsMax, LogLevel = (flags >> 1) & 2, Privileged = (flags & 8)
                == 0, TestStateFreq = (flags & 16) != 0, Strict = (flags & 32) != 0,
        };
        return BpfVerifier.Verify(prog, kernel, options).IsAccepted && IsSound(prog, kernel, input.Length);
    }

    internal static IEnumerable<byte[]> Seeds() => s_kernels.SelectMany(
        (kernel, number) => Enumerable.Range(1, 200).Select(ProgGenerator.Generate)
            .Select(p => p.TryLink(kernel, new DiagSink()) is { } linked ? Encode(p.Section, number, linked) : null)
            .OfType<byte[]>().Where(b => b.Length < 1200).Take(SeedsCount / s_kernels.Length));

    private static bool IsSound(ProgSpec prog, KernelSpec kernel, int seed)
    {
        if (AcceptedProgram.TryMakeShort(prog, kernel, InsnsMax) is not { } accepted)
        {
            // too long where beliefs are compared as well, or refused to an unprivileged loader's advantage
            return false;
        }

        var outcome = new ProgRunner(accepted, seed, Fuel).Run(RunsPerProgram);
        Finding.Unless(outcome.Kind != RunKind.Unsound, outcome.Detail);
        return true;
    }

    private static ProgSpec Template(int section, KernelSpec kernel)
    {
        if (!s_templates.TryGetValue((section, kernel), out var template))
        {
            template = GeneratedProgram.Link(
                s_sections[section], [.. new[] { Asm.Mov(Asm.R0, 0), Asm.Exit() }], [], [], kernel, new DiagSink());
            s_templates[(section, kernel)] = template;
        }

        return template;
    }

    private static ImmutableArray<FuncInfo> ReadFuncs(byte[] input)
    {
        var types = Template(0, s_kernels[0]).Btf!.TypeCount;
        var funcs = Enumerable.Range(0, input[2]).Select(i => input.AsSpan(HeaderBytes + (FuncBytes * i)) is var at
            ? new FuncInfo(BinaryPrimitives.ReadUInt16LittleEndian(at),
                BinaryPrimitives.ReadUInt16LittleEndian(at[2..]) % types)
            : default);
        return [.. funcs.OrderBy(f => f.InsnIdx)];
    }

    private static byte[] Encode(string section, int kernel, ProgSpec linked)
    {
        var bytes = new List<byte>
        {
            (byte)Array.IndexOf(s_sections, section), (byte)(kernel << KernelShift), (byte)linked.FuncInfos.Length,
        };
        foreach (var func in linked.FuncInfos)
        {
            bytes.AddRange(BitConverter.GetBytes((ushort)func.InsnIdx));
            bytes.AddRange(BitConverter.GetBytes((ushort)func.TypeId));
        }

        bytes.AddRange(InsnCodec.Encode(linked.Insns.AsSpan()));
        return [.. bytes];
    }
}
