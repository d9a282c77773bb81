using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Kptr.Diagnostics;
using Kptr.Execution;
using Kptr.Isa;
using static Kptr.Isa.Asm;

namespace Kptr.Tests.Execution;

/// <summary>Loops long enough for fused code give what a machine without any of it gives.</summary>
public class HotCodeTests
{
    private const int Rounds = 6000;

    private static Gen<int> Reg { get; } = Gen.Choose(0, 7);

    private static Gen<BpfInsn> Alu { get; } =
        from cls in Gen.Elements((byte)InsnClass.Alu64, (byte)InsnClass.Alu64, (byte)InsnClass.Alu)
        from op in Gen.Elements<byte>(
            BpfOp.Add, BpfOp.Mov, BpfOp.Mov, BpfOp.Xor, BpfOp.Lsh, BpfOp.Rsh, BpfOp.And, BpfOp.Or, BpfOp.Sub,
            BpfOp.Mul, BpfOp.Arsh, BpfOp.Div)
        from isReg in Gen.Elements(true, false)
        from dst in Reg
        from src in Reg
        from imm in Gen.Elements(1, 2, 7, -1, 13, 31, 0x7fffffff, -64)
        select new BpfInsn((byte)(cls | op | (isReg ? BpfOp.X : BpfOp.K)), dst, isReg ? src : 0, 0, isReg ? 0 : imm);

    private static Gen<BpfInsn> Jump { get; } =
        from cls in Gen.Elements((byte)InsnClass.Jmp, (byte)InsnClass.Jmp32)
        from op in Gen.Elements<byte>(BpfOp.Jeq, BpfOp.Jne, BpfOp.Jgt, BpfOp.Jslt, BpfOp.Jset, BpfOp.Jle)
        from isReg in Gen.Elements(true, false)
        from dst in Reg
        from src in Reg
        from imm in Gen.Elements(0, 1, -1, 1000)
        from off in Gen.Elements<short>(0, 1, 1, 1, 2)
        select new BpfInsn((byte)(cls | op | (isReg ? BpfOp.X : BpfOp.K)), dst, isReg ? src : 0, off, isReg ? 0 : imm);

    private static Gen<BpfInsn> Access { get; } =
        from isLoad in Gen.Elements(true, false)
        from size in Gen.Elements<byte>(BpfOp.B, BpfOp.H, BpfOp.W, BpfOp.Dw)
        from reg in Reg
        from slot in Gen.Choose(1, 8)
        select isLoad
            ? Ldx(size, (BpfReg)reg, R10, (short)(-8 * slot))
            : Stx(size, R10, (short)(-8 * slot), (BpfReg)reg);

    /// <summary>An element of an array on the stack; now and then outside it.</summary>
    private static Gen<BpfInsn[]> Element { get; } =
        from isLoad in Gen.Elements(true, false)
        from isBased in Gen.Elements(true, false)
        from size in Gen.Elements<byte>(BpfOp.B, BpfOp.W, BpfOp.Dw)
        from at in Gen.Choose(0, 3)
        from index in Gen.Choose(4, 7)
        from mask in Gen.Elements(0x3f, 0x3f, 0x3f, 0x1ff)
        let reg = (BpfReg)at
        select (BpfInsn[])
        [
            And((BpfReg)index, mask),
            .. isBased
                ? new[] { Mov(reg, R10), Add(reg, -72), Add(reg, (BpfReg)index) }
                : [Mov(reg, R10), Sub((BpfReg)index, 0x1ff), Mov(reg, R10), Add(reg, (BpfReg)index)],
            isLoad ? Ldx(size, reg, reg, 0) : Stx(size, reg, 0, (BpfReg)index),

            // The two machines' stacks lie at different addresses, which no register may keep.
            .. isLoad ? Array.Empty<BpfInsn>() : [Mov(reg, 3)],
        ];

    private static Gen<BpfInsn[]> Body { get; } =
        from parts in Gen.Frequency(
            (6, Alu.Select(i => new[] { i })), (2, Jump.Select(i => new[] { i })),
            (2, Access.Select(i => new[] { i })), (1, Element))
            .ListOf(12)
        select parts.SelectMany(p => p).ToArray();

    [Property(MaxTest = 60)]
    public Property Run_LongLoop_GivesWhatThePlainMachineGives() => Prop.ForAll(
        Body.ToArbitrary(),
        body =>
        {
            // Room for jumps at the end of the body, then the loop, then a digest of all registers.
            BpfInsn[] code =
            [
                Mov(R8, 0), Mov(R0, 1), Mov(R1, 2), Mov(R2, 3), Mov(R3, 5), Mov(R4, 7), Mov(R5, 11),
                Mov(R6, 13), Mov(R7, -17),
                .. body, Mov(R9, 0), Mov(R9, 0), Add(R8, 1), Jlt(R8, Rounds, (short)-(body.Length + 4)),
                .. Enumerable.Range(1, 8).SelectMany(i => new[] { Mul(R0, 31), Add(R0, (BpfReg)i) }), Exit(),
            ];
            var plain = new PlainMachine(code);
            var faultAt = plain.Run();
            using var machine = Interpreter.ForRaw([.. code]);
            var result = Engines.Run(machine, []);
            if (faultAt >= 0)
            {
                result.Fault.Should().NotBeNull();
                (result.Fault!.Code, result.Fault.InsnIdx).Should().Be((DiagCode.RunBadAccess, faultAt));
            }
            else
            {
                result.Should().Be(new ExecResult(plain.Regs[0], null));
            }
        });
}
