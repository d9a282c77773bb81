using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Liveness;

/// <summary>What a state loses of registers and slots that nothing reads.</summary>
public class DeadPlacesTests
{
    // What is read at 3 and 4 is written before by nothing.
    private static readonly LivenessCode s_code = new("""
        r0 = 0
        r6 = 0
        r7 = 0
        r1 = *(u64 *)(r10 - 8)
        r1 = *(u32 *)(r10 - 12)
        r1 = *(u32 *)(r10 - 24)
        r0 = r6
        exit
        """);

    [Fact]
    public void Registers_ThatAreDead_HoldNothing()
    {
        var state = s_code.StateIn();
        foreach (var r in new[] { 0, 6, 7 })
        {
            Number(out state.Cur.Regs[r]);
        }

        s_code.DeadPlaces.Clean(state, 2);

        state.Cur.Regs[0].Type.Should().Be(RegType.NotInit);
        state.Cur.Regs[6].Type.Should().Be(RegType.Scalar, "it is read at the end");
        state.Cur.Regs[7].Type.Should().Be(RegType.NotInit);
        state.Cur.Regs[10].Type.Should().Be(RegType.PtrToStack);
    }

    [Fact]
    public void Slots_LoseTheHalvesThatAreDead()
    {
        var cleaned = Clean((ref StackSlot s) => Number(out s.Spilled));

        cleaned.Should().Equal(
            "rrrrrrrr", // read as a whole
            "mmmmpppp", // the half near to the frame pointer is read: of a number, bytes
            "pppprrrr", // the other is
            "pppppppp");
    }

    [Fact]
    public void Slot_WithAPointerOrZero_StaysWhereTheNearHalfIsRead()
    {
        Clean((ref StackSlot s) => s.Spilled.MarkKnownZero(RegType.PtrToStack))[1].Should().Be("rrrrrrrr");
        Clean((ref StackSlot s) => Number(out s.Spilled, 0))[1].Should().Be("rrrrrrrr");
        Clean((ref StackSlot s) => s.Spilled.MarkKnownZero(RegType.PtrToStack))[3].Should().Be("pppppppp");
    }

    [Theory]
    [InlineData((int)SlotKind.Dynptr, "dddddddd")]
    [InlineData((int)SlotKind.Iter, "iiiiiiii")]
    [InlineData((int)SlotKind.IrqFlag, "ffffffff")]
    [InlineData((int)SlotKind.Misc, "pppppppp")]
    [InlineData((int)SlotKind.Zero, "pppppppp")]
    [InlineData((int)SlotKind.Invalid, "pppppppp")]
    public void Slot_ThatIsDead_StaysWhereItIsAnObject(int kind, string cleaned) =>
        Clean((ref StackSlot _) => { }, (SlotKind)kind)[3].Should().Be(cleaned);

    [Fact]
    public void Frames_KeepWhatIsReadBehindTheirCalls()
    {
        // The callee gets no pointer: what it does to frames above is nothing, and is not looked for.
        var code = new LivenessCode("""
            call callee
            r0 = *(u64 *)(r10 - 8)
            exit
            callee:
            r0 = 0
            exit
            """);
        var state = code.StateIn(0);
        state.Frames[0]!.GrowStack(2);

        code.DeadPlaces.Clean(state, 3);

        Text(state.Frames[0]!.Stack[0]).Should().Be("????????");
        Text(state.Frames[0]!.Stack[1]).Should().Be("pppppppp");
    }

    [Fact]
    public void Frames_TwoAboveOneThatGotNoPointer_KeepAll()
    {
        var code = new LivenessCode("call outer\nexit\nouter:\ncall inner\nr0 = 0\nexit\ninner:\nr0 = 0\nexit");
        var state = code.StateIn(0, 2);
        state.Frames[0]!.GrowStack(1);
        state.Frames[1]!.GrowStack(1);

        code.DeadPlaces.Clean(state, 5);

        Text(state.Frames[0]!.Stack[0]).Should().Be("????????", "as in the kernel");
        Text(state.Frames[1]!.Stack[0]).Should().Be("pppppppp");
    }

    private delegate void Change(ref StackSlot slot);

    private static string[] Clean(Change change, SlotKind kind = SlotKind.Spill)
    {
        var state = s_code.StateIn();
        state.Cur.GrowStack(4);
        foreach (ref var slot in state.Cur.Stack.AsSpan(0, 4))
        {
            slot.SetAll(kind);
            change(ref slot);
        }

        s_code.DeadPlaces.Clean(state, 3);
        return [.. state.Cur.Stack.Take(4).Select(s => Text(s))];
    }

    private static void Number(out RegState reg, ulong value = 5)
    {
        reg = default;
        reg.MarkKnown(value);
        reg.Type = RegType.Scalar;
    }

    private static string Text(in StackSlot slot)
    {
        var kinds = slot;
        return string.Concat(Enumerable.Range(0, 8).Select(i => "?rm0difp"[(int)kinds[i]]));
    }
}
