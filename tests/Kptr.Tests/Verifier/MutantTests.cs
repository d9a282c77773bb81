using Kptr.Isa;
using Kptr.Specs;
using Kptr.Tests.Golden;
using Kptr.Verifier;

namespace Kptr.Tests.Verifier;

/// <summary>Programs of the golden files, changed at random or without changing their meaning.</summary>
public class MutantTests
{
    private const int MutantsPerSeed = 1500;
    private static readonly ProgSpec[] Programs = [.. Directory
        .GetFiles(TestData.Path("verifier"), "*.txt", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).Select(VerdictFile.Read)
        .Where(f => f.Text("kernel").Length == 0).Select(f => new VerdictProgram(f).Link())];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void RandomMutants_OfAnyProgram_GetAVerdict(int seed)
    {
        var random = new Random(seed);
        var verdicts = new HashSet<Verdict>();
        for (var i = 0; i < MutantsPerSeed; i++)
        {
            var prog = Mutate(Programs[random.Next(Programs.Length)], random);
            verdicts.Add(Verify(prog, pruning: true).Verdict);
        }

        verdicts.Should().Contain([Verdict.Accept, Verdict.Reject]);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void RandomMutants_WithAndWithoutPruning_AgreeWhereBothFinish(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < MutantsPerSeed; i++)
        {
            var prog = Mutate(Programs[random.Next(Programs.Length)], random);
            VerifyResult on = Verify(prog, pruning: true), off = Verify(prog, pruning: false);
            if (IsFinished(on) && IsFinished(off) && !on.Warnings.Any())
            {
                on.Verdict.Should().Be(
                    off.Verdict, "seed {0}, mutant {1}: {2} / {3}", seed, i, on.Message, off.Message);
            }
        }
    }

    [Fact]
    public void Programs_WithJumpsToTheNextInstruction_KeepTheirVerdict()
    {
        foreach (var prog in Programs.Where(p => p.FuncInfos.IsEmpty))
        {
            var before = Verify(prog, pruning: true);
            for (var at = 0; at < prog.Insns.Length; at++)
            {
                if (at > 0 && prog.Insns[at - 1].Opcode == BpfOp.LdImm64)
                {
                    continue;
                }

                var after = Verify(prog with { Insns = [.. InsertJump([.. prog.Insns], at)] }, pruning: true);
                after.Verdict.Should().Be(before.Verdict, "a jump before insn {0} changes nothing: {1} / {2}",
                    at, before.Message, after.Message);
            }
        }
    }

    private static bool IsFinished(VerifyResult result) => result.IsAccepted
        || result.Diagnostics[^1].Code is not (Diagnostics.DiagCode.ComplexityExceeded
            or Diagnostics.DiagCode.InfiniteLoop);

    private static VerifyResult Verify(ProgSpec prog, bool pruning) =>
        BpfVerifier.Verify(prog, VerdictProgram.Builtin, new VerifyOptions { Pruning = pruning, InsnsMax = 5000 });

    private static ProgSpec Mutate(ProgSpec prog, Random random)
    {
        var insns = prog.Insns.ToArray();
        for (var left = 1 + random.Next(3); left > 0; left--)
        {
            var at = random.Next(insns.Length);
            var old = insns[at];
            insns[at] = random.Next(7) switch
            {
                0 => new(old.Opcode, random.Next(11), old.Src, old.Off, old.Imm),
                1 => new(old.Opcode, old.Dst, random.Next(11), old.Off, old.Imm),
                2 => new(old.Opcode, old.Dst, old.Src, (short)(old.Off + random.Next(-16, 17)), old.Imm),
                3 => new(old.Opcode, old.Dst, old.Src, old.Off, old.Imm + random.Next(-4, 5)),
                4 => new((byte)(old.Opcode ^ (1 << random.Next(8))), old.Dst, old.Src, old.Off, old.Imm),
                5 => insns[random.Next(insns.Length)],
                _ => new((byte)random.Next(256), random.Next(16), random.Next(16), (short)random.Next(), random.Next()),
            };
        }

        return prog with { Insns = [.. insns] };
    }

    /// <summary>Puts <c>goto +0</c> before an instruction; jumps and calls across it grow by one.</summary>
    private static List<BpfInsn> InsertJump(BpfInsn[] insns, int at)
    {
        var result = new List<BpfInsn>();
        for (var i = 0; i < insns.Length; i++)
        {
            if (i == at)
            {
                result.Add(new((byte)InsnClass.Jmp, 0, 0, 0, 0));
            }

            result.Add(Shift(insns[i], i, at));
        }

        return result;
    }

    private static BpfInsn Shift(BpfInsn insn, int i, int at)
    {
        var isJump = insn.Class is InsnClass.Jmp or InsnClass.Jmp32;
        var op = insn.Opcode & BpfOp.OpMask;
        var isCall = isJump && op == BpfOp.Call && insn.Src == BpfOp.PseudoCall;
        var isFunc = insn.Opcode == BpfOp.LdImm64 && insn.Src == BpfOp.PseudoFunc;
        if (isCall || isFunc || (insn.Class == InsnClass.Jmp32 && op == BpfOp.Ja))
        {
            return new(insn.Opcode, insn.Dst, insn.Src, insn.Off, insn.Imm + Crosses(i, i + insn.Imm + 1, at));
        }

        return isJump && op is not (BpfOp.Call or BpfOp.Exit)
            ? new(insn.Opcode, insn.Dst, insn.Src, (short)(insn.Off + Crosses(i, i + insn.Off + 1, at)), insn.Imm)
            : insn;
    }

    /// <summary>
    /// What the distance from an instruction to its target grows by when one more stands before <paramref name="at"/>.
    /// </summary>
    private static int Crosses(int from, int to, int at) => (to > at ? 1 : 0) - (from >= at ? 1 : 0);
}
