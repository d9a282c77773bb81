using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.State;

/// <summary>Read marks go up a chain of states until a write screens them off.</summary>
public class LiveReadsTests
{
    [Fact]
    public void Read_OfARegister_IsMarkedInAllItCameFrom()
    {
        var (top, middle, cur) = Chain(slots: 1);

        LiveReads.MarkReg(cur, 6);
        LiveReads.MarkSlot(cur, 0);

        foreach (var frame in new[] { top, middle })
        {
            (frame.Live.ReadRegs, frame.Live.ReadSlots).Should().Be((1u << 6, 1ul));
        }

        cur.Live.ReadRegs.Should().Be(0, "a state's own marks say what came from above");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(9)]
    public void Write_BetweenTwoStates_ScreensReadsOff(int regno)
    {
        var (top, middle, cur) = Chain(slots: 2);
        middle.Live.WriteReg(regno);
        middle.Live.WriteSlot(1);

        LiveReads.MarkReg(cur, regno);
        LiveReads.MarkSlot(cur, 1);

        (middle.Live.HasReadReg(regno), middle.Live.HasReadSlot(1)).Should().Be((true, true));
        (top.Live.ReadRegs, top.Live.ReadSlots).Should().Be((0u, 0ul));
    }

    [Fact]
    public void Chains_OfArgumentsAndOfR0_AreTheirOwn()
    {
        var (_, caller, callee) = Chain(slots: 0);
        callee.Parent = callee.R0Parent = null;

        LiveReads.MarkReg(callee, 0);
        LiveReads.MarkReg(callee, 2);
        LiveReads.MarkReg(callee, 7);

        caller.Live.ReadRegs.Should().Be(1u << 2, "only arguments come from the caller");
    }

    [Fact]
    public void Slot_ThatAParentDoesNotHave_IsNotReadThere()
    {
        var (top, middle, cur) = Chain(slots: 2);
        top.SlotCount = 1;

        LiveReads.MarkSlot(cur, 0);
        LiveReads.MarkSlot(cur, 1);

        (middle.Live.ReadSlots, top.Live.ReadSlots).Should().Be((0b11ul, 0b01ul));
    }

    [Fact]
    public void Propagation_MarksWhatTheOtherPathReads()
    {
        var (top, _, cur) = Chain(slots: 2);
        VerifierState old = new(), now = new();
        old.Frames[0] = new FuncState { SlotCount = 2 };
        old.Cur.Live = new() { ReadRegs = 0b100_0001, ReadSlots = 0b10 };
        now.Frames[0] = cur;
        cur.Live.WriteReg(0);

        LiveReads.Propagate(old, now).Should().BeTrue();

        (cur.Live.ReadRegs, cur.Live.ReadSlots).Should().Be((0b100_0001u, 0b10ul));
        (top.Live.ReadRegs, top.Live.ReadSlots).Should().Be((0b100_0000u, 0b10ul), "R0 was written");
        LiveReads.Propagate(old, now).Should().BeFalse("all is known");
    }

    [Fact]
    public void TakenRegister_BringsItsMarks()
    {
        FuncState from = new(), to = new();
        from.Live = new() { ReadRegs = 0b1000 };
        to.Live = new() { WrittenRegs = 0b110 };
        from.Regs[3].MarkKnownZero(RegType.PtrToCtx);

        to.TakeReg(2, from, 3);

        to.Regs[2].Type.Should().Be(RegType.PtrToCtx);
        (to.Live.ReadRegs, to.Live.WrittenRegs).Should().Be((0b100u, 0b010u));
    }

    // Three states of one frame: the second came from the first, the third from the second.
    private static (FuncState Top, FuncState Middle, FuncState Cur) Chain(int slots)
    {
        FuncState top = Frame(null), middle = Frame(top);
        return (top, middle, Frame(middle));

        FuncState Frame(FuncState? parent) => new()
        {
            SlotCount = slots, Parent = parent, ArgsParent = parent, R0Parent = parent,
        };
    }
}
