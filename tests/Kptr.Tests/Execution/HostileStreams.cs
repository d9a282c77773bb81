using Kptr.Isa;

namespace Kptr.Tests.Execution;

/// <summary>Slots that mean harm: nearly right, at the edge of something, or noise.</summary>
/// <param name="random">Decides everything.</param>
internal sealed class HostileStreams(Random random)
{
    private const int SlotsMax = 24;
    private static readonly int[] s_numbers =
        [0, 1, -1, 7, 8, 16, 31, 32, 63, 64, 255, 512, -512, -520, 4096, int.MaxValue, int.MinValue];

    private static readonly byte[] s_sizes = [BpfOp.B, BpfOp.H, BpfOp.W, BpfOp.Dw];
    private static readonly byte[] s_modes = [BpfOp.Mem, BpfOp.Mem, BpfOp.Memsx, BpfOp.Atomic, BpfOp.Abs, BpfOp.Ind];
    private int _length;

    /// <summary>The next program.</summary>
    internal BpfInsn[] Next()
    {
        _length = random.Next(1, SlotsMax);
        var slots = new BpfInsn[_length];
        for (var i = 0; i < slots.Length; i++)
        {
            slots[i] = Slot(i);
            if (slots[i].Opcode == BpfOp.LdImm64 && i + 1 < slots.Length && random.Next(8) != 0)
            {
                slots[++i] = new(0, 0, 0, 0, AnyNumber());
            }
        }

        if (random.Next(8) != 0)
        {
            slots[^1] = Asm.Exit();
        }

        return slots;
    }

    // One in twenty may be no instruction at all: a program that stops at once tries nothing.
    private BpfInsn Slot(int at)
    {
        var slot = AnySlot(at);
        for (var isAny = random.Next(20) == 0; !isAny && !IsLegal(slot);)
        {
            slot = AnySlot(at);
        }

        return slot;
    }

    private static bool IsLegal(BpfInsn slot) =>
        InsnCheck.Fault(slot, slot.Opcode == BpfOp.LdImm64 ? default(BpfInsn) : null) is null;

    private BpfInsn AnySlot(int at) => random.Next(16) switch
    {
        < 5 => Access(),
        < 9 => Arithmetic(),
        < 12 => Jump(at),
        12 => Call(at),
        13 => new(BpfOp.LdImm64, AnyReg(), (byte)random.Next(random.Next(4) == 0 ? 16 : 1), 0, AnyNumber()),
        14 => random.Next(2) == 0 ? default : Asm.Exit(), // the second half of a load, perhaps of none
        _ => Noise(),
    };

    private BpfInsn Access()
    {
        var opClass = (InsnClass)random.Next(4); // ld, ldx, st, stx
        var opcode = (byte)((byte)opClass | s_sizes[random.Next(4)] | s_modes[random.Next(s_modes.Length)]);
        return new(opcode, Base(), Base(), AnyOffset(), random.Next(4) == 0 ? AnyNumber() : AtomicOp());
    }

    // The memory that a run is given, its stack, or whatever an address has become.
    private byte Base() => random.Next(5) switch { < 2 => 1, < 4 => 10, _ => AnyReg() };

    private short AnyOffset() => random.Next(4) switch
    {
        0 => (short)random.Next(-520, 8),
        1 => (short)random.Next(-8, 24),
        2 => (short)(random.Next(-64, 0) * 8),
        _ => (short)random.Next(short.MinValue, short.MaxValue + 1),
    };

    private int AtomicOp() => random.Next(8) switch
    {
        0 => BpfOp.CmpXchg,
        1 => BpfOp.Xchg,
        2 => BpfOp.And,
        3 => BpfOp.Xor | BpfOp.Fetch,
        4 => BpfOp.Add | BpfOp.Fetch,
        5 => 0x100, // a load that acquires
        6 => 0x110, // a store that releases
        _ => BpfOp.Add,
    };

    private BpfInsn Arithmetic()
    {
        var opClass = random.Next(2) == 0 ? InsnClass.Alu : InsnClass.Alu64;
        var opcode = (byte)((byte)opClass | (random.Next(15) << 4) | (random.Next(2) * BpfOp.X));
        var isPlain = random.Next(4) != 0;
        return new(opcode, AnyReg(), AnyReg(), isPlain ? (short)0 : (short)(random.Next(5) * 8), AnyNumber());
    }

    private BpfInsn Jump(int at)
    {
        var opClass = random.Next(3) == 0 ? InsnClass.Jmp32 : InsnClass.Jmp;
        var op = random.Next(16) is var any && (any << 4) is BpfOp.Call or BpfOp.Exit ? BpfOp.Jne : any << 4;
        var opcode = (byte)((byte)opClass | op | (random.Next(2) * BpfOp.X));
        return new(opcode, AnyReg(), op == BpfOp.Jcond ? (byte)0 : AnyReg(), (short)Target(at), AnyNumber());
    }

    private BpfInsn Call(int at) => random.Next(8) switch
    {
        < 3 => new((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoCall, 0, Target(at)),
        < 6 => new((byte)InsnClass.Jmp | BpfOp.Call, 0, 0, 0, random.Next(0, 5)),
        6 => new((byte)InsnClass.Jmp | BpfOp.Call, 0, BpfOp.PseudoKfuncCall, (short)random.Next(3), AnyNumber()),
        _ => new((byte)InsnClass.Jmp | BpfOp.Call | BpfOp.X, AnyReg(), 0, 0, AnyNumber()),
    };

    // Mostly inside the program; sometimes one past its end, or anywhere.
    private int Target(int at) => random.Next(8) switch
    {
        0 => AnyNumber() % short.MaxValue,
        1 => _length - at - 1,
        _ => random.Next(-at - 1, _length - at),
    };

    private BpfInsn Noise() => new(
        (byte)random.Next(256), (byte)random.Next(16), (byte)random.Next(16), (short)random.Next(1 << 16), AnyNumber());

    private byte AnyReg() => (byte)random.Next(random.Next(16) == 0 ? 16 : 11);

    private int AnyNumber() => random.Next(3) == 0 ? random.Next(int.MinValue, int.MaxValue)
        : s_numbers[random.Next(s_numbers.Length)];
}
