using System.Collections.Immutable;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using Kptr.Tests.Shared;

namespace Kptr.Tests.Execution;

/// <summary>What native code believes of registers, held against runs instruction by instruction.</summary>
public class FrameFactsTests
{
    private const int MemoryBytes = 64;

    [Fact]
    public void Facts_OfAnyProgram_HoldBeforeEveryInstruction()
    {
        var seed = NightlyOption.Number("KPTR_FUZZ_SEED", 1);
        var random = new Random(seed);
        var hostile = new HostileStreams(new Random(seed));
        var seen = new Seen();
        for (var i = 0; i < NightlyOption.Number("KPTR_FUZZ_FACTS", 2000); i++)
        {
            ImmutableArray<BpfInsn> insns = [.. i % 4 == 0 ? hostile.Next() : new BoundedStreams(random).Next()];
            using var program = Interpreter.ForRaw(insns);
            if (ProgLayout.Find(program.Code, -1, isRaw: true) is not { } layout || layout.Funcs.Length != 1)
            {
                continue;
            }

            var watch = new Watch(layout, program.Code, seen);
            program.Run(new byte[MemoryBytes], new() { Fuel = 500, Observer = watch });
            watch.Wrong.Should().BeNull(
                $"seed {seed}, program {i}:\n" + string.Join('\n', Disassembler.Lines(insns).Select(l => l.Text)));
        }

        seen.InFrame.Should().BeGreaterThan(50, "programs must prove something to be tried");
        seen.InContext.Should().BeGreaterThan(50);
        seen.Bounded.Should().BeGreaterThan(1000);
    }

    [Fact]
    public void Observer_OfAProgramThatRunsOffItsEnd_SeesEachInstructionOnce()
    {
        using var program = Interpreter.ForRaw(TextAssembler.Assemble("r1 = 1\nr2 = 2").Insns);
        var seen = new List<int>();

        var result = program.Run(new byte[8], new() { Observer = new Slots(seen) });

        result.Fault!.Code.Should().Be(DiagCode.RunBadTarget);
        seen.Should().Equal(0, 1);
    }

    private sealed class Slots(List<int> seen) : IRunObserver
    {
        public RunFault? Before(in RunPoint at)
        {
            seen.Add(at.InsnIdx);
            return null;
        }

        public bool TryFail(in RunPoint at, out ulong r0)
        {
            r0 = 0;
            return false;
        }
    }

    private sealed class Seen
    {
        internal int InFrame { get; set; }

        internal int InContext { get; set; }

        internal int Bounded { get; set; }
    }

    private sealed class Watch(ProgLayout layout, OpCode code, Seen seen) : IRunObserver
    {
        private readonly FrameFacts _facts = new(layout.Funcs[0], layout, code, hasContext: !layout.IsCalled(0));
        private ulong? _context;

        internal string? Wrong { get; private set; }

        public RunFault? Before(in RunPoint at)
        {
            _context ??= at.Regs[1];
            if (!layout.Funcs[0].Slots.Contains(at.InsnIdx))
            {
                return null; // control has left the program
            }

            for (var reg = 0; reg < Machine.RegCount && Wrong is null; reg++)
            {
                Wrong = Check(_facts.Before(at.InsnIdx, reg), reg, at);
            }

            Note(at);
            return null;
        }

        public bool TryFail(in RunPoint at, out ulong r0)
        {
            r0 = 0;
            return false;
        }

        private string? Check(RegFact fact, int reg, in RunPoint at)
        {
            seen.Bounded += fact is { Base: FactBase.Number, High: < ulong.MaxValue } ? 1 : 0;
            var value = at.Regs[reg];
            var distance = (long)(value - (fact.Base == FactBase.Frame ? at.Regs[10] : _context!.Value));
            var holds = fact.Base == FactBase.Number ? value >= fact.Low && value <= fact.High
                : distance >= fact.Near && distance <= fact.Far;
            for (var other = 0; fact.Copy != 0 && other < Machine.RegCount; other++)
            {
                holds &= _facts.Before(at.InsnIdx, other).Copy != fact.Copy || at.Regs[other] == value;
            }

            return holds ? null : $"before slot {at.InsnIdx} r{reg} is {value:x}, and was to be {fact}";
        }

        private void Note(in RunPoint at)
        {
            var insn = at.Insns[at.InsnIdx];
            if (!code.IsRunnable(at.InsnIdx) || insn.Class is not (InsnClass.Ldx or InsnClass.St))
            {
                return;
            }

            var reg = insn.Class == InsnClass.Ldx ? insn.Src : insn.Dst;
            var isInFrame = _facts.IsInFrame(at.InsnIdx, reg, insn.Off, insn.AccessBytes);
            seen.InFrame += isInFrame && _facts.Off(at.InsnIdx, reg) is null ? 1 : 0;
            seen.InContext += _facts.ContextEnd(at.InsnIdx, reg, insn.Off, insn.AccessBytes) <= MemoryBytes ? 1 : 0;
        }
    }

    /// <summary>Programs that hold numbers against bounds, or nearly, and go into their frame and context by
    /// them.</summary>
    private sealed class BoundedStreams(Random random)
    {
        private const int SlotsMax = 40;
        private static readonly int[] s_numbers =
            [0, 1, -1, 2, 3, 7, 8, 15, 48, 63, 64, 255, 448, 511, 512, -8, -64, -512];

        private static readonly byte[] s_sizes = [BpfOp.B, BpfOp.H, BpfOp.W, BpfOp.Dw];
        private readonly BpfInsn[] _slots = new BpfInsn[random.Next(8, SlotsMax)];

        internal BpfInsn[] Next()
        {
            for (var i = 0; i < _slots.Length; i++)
            {
                if (random.Next(5) == 0 && i + 6 < _slots.Length)
                {
                    i = Indexed(i) - 1;
                    continue;
                }

                _slots[i] = random.Next(12) switch
                {
                    < 2 => Move(),
                    < 6 => Arithmetic(),
                    < 9 => Jump(i),
                    9 => new((byte)(0x61 | Size()), Reg(), random.Next(3) == 0 ? (byte)1 : Reg(), Off(), 0),
                    10 => new((byte)(0x62 | Size()), random.Next(3) == 0 ? (byte)10 : Reg(), 0, Off(), Number()),
                    _ => Step(),
                };
            }

            _slots[^1] = Asm.Exit();
            return _slots;
        }

        /// <summary>A number, perhaps held against a bound, goes into the frame or the context.</summary>
        /// <returns>The slot behind it.</returns>
        private int Indexed(int at)
        {
            var (index, pointer) = ((byte)random.Next(2, 6), (byte)random.Next(6, 10));
            var isFrame = random.Next(2) == 0;
            var bound = random.Next(0, isFrame ? 520 : 72);
            var op = (byte[])[BpfOp.Jgt, BpfOp.Jge, BpfOp.Jsgt, BpfOp.Jsge, BpfOp.Jlt, BpfOp.Jne];
            var width = (byte)(random.Next(3) == 0 ? InsnClass.Jmp32 : InsnClass.Jmp);
            _slots[at++] = random.Next(4) switch
            {
                0 => new(0x57, index, 0, 0, random.Next(0, 64)),
                1 => new(0x71, index, 1, (short)random.Next(0, 64), 0),
                _ => new(0xb7, index, 0, 0, random.Next(-2, bound + 2)),
            };
            _slots[at++] = new((byte)(op[random.Next(op.Length)] | width), index, 0, 4, bound);
            _slots[at++] = new(0xbf, pointer, isFrame ? (byte)10 : (byte)1, 0, 0);
            _slots[at++] = new(0x07, pointer, 0, 0, isFrame ? -random.Next(0, 520) : random.Next(-2, 8));
            _slots[at++] = new((byte)(random.Next(8) == 0 ? 0x1f : 0x0f), pointer, index, 0, 0);
            _slots[at++] = random.Next(2) == 0 && isFrame
                ? new((byte)(0x62 | Size()), pointer, 0, (short)random.Next(-8, 8), 1)
                : new((byte)(0x61 | Size()), 0, pointer, (short)random.Next(-8, 8), 0);
            return at;
        }

        private byte Size() => s_sizes[random.Next(4)];

        private byte Reg() => (byte)random.Next(0, 10);

        private int Number() => random.Next(4) == 0 ? random.Next() : s_numbers[random.Next(s_numbers.Length)];

        private short Off() => (short)(random.Next(3) == 0 ? random.Next(-520, 72) : random.Next(-64, 8));

        // The frame pointer, the context, a copy or a number.
        private BpfInsn Move() => random.Next(5) switch
        {
            0 => new(0xbf, Reg(), 10, 0, 0),
            1 => new(0xbf, Reg(), 1, 0, 0),
            2 => new(0xb7, Reg(), 0, 0, Number()),
            3 => new(0xbc, Reg(), Reg(), 0, 0),
            _ => new(0xbf, Reg(), Reg(), (short)(random.Next(6) == 0 ? 8 : 0), 0),
        };

        private BpfInsn Arithmetic()
        {
            var op = (byte)(random.Next(0, 14) << 4);
            var isReg = random.Next(2) == 0;
            var width = (byte)(random.Next(3) == 0 ? InsnClass.Alu : InsnClass.Alu64);
            return op switch
            {
                BpfOp.Neg => new((byte)(op | width), Reg(), 0, 0, 0),
                BpfOp.End => new((byte)(op | width), Reg(), 0, 0, (int[])[16, 32, 64] is var w ? w[random.Next(3)] : 0),
                BpfOp.Lsh or BpfOp.Rsh or BpfOp.Arsh when !isReg =>
                    new((byte)(op | width), Reg(), 0, 0, random.Next(0, 32)),
                _ => new(
                    (byte)(op | width | (isReg ? BpfOp.X : 0)), Reg(), isReg ? Reg() : (byte)0, 0,
                    isReg ? 0 : Number()),
            };
        }

        // A pointer goes on by a register or a little.
        private BpfInsn Step() =>
            random.Next(2) == 0 ? new(0x0f, Reg(), Reg(), 0, 0) : new(0x07, Reg(), 0, 0, Number());

        private BpfInsn Jump(int at)
        {
            var op = (byte)(random.Next(1, 14) << 4);
            op = op is BpfOp.Call or BpfOp.Exit ? BpfOp.Jgt : op;
            var isReg = random.Next(3) == 0;
            var width = (byte)(random.Next(3) == 0 ? InsnClass.Jmp32 : InsnClass.Jmp);
            var off = random.Next(5) == 0 ? -random.Next(1, 6) : random.Next(0, 6);
            off = Math.Clamp(at + 1 + off, 0, _slots.Length - 1) - at - 1;
            return new(
                (byte)(op | width | (isReg ? BpfOp.X : 0)), Reg(), isReg ? Reg() : (byte)0, (short)off,
                isReg ? 0 : Number());
        }
    }
}
