using Kptr.Diagnostics;
using Kptr.Verifier;
using Kptr.Verifier.Precision;

namespace Kptr.Tests.Verifier.Precision;

/// <summary>Which registers and slots of which frames matter.</summary>
public class BacktrackSetTests
{
    [Fact]
    public void Backtracking_KeepsRegistersAndSlotsOfEachFrame()
    {
        var set = new BacktrackSet { Frame = 1 };
        set.IsEmpty.Should().BeTrue();
        set.SetReg(3);
        set.SetReg(0, 9);
        set.SetSlot(1, 63);
        set.SetSlot(2, 0);

        (set.Regs, set.RegsOf(0), set.RegsOf(1), set.RegsOf(2)).Should().Be((8u, 0x200u, 8u, 0u));
        (set.Slots, set.SlotsOf(0), set.SlotsOf(1), set.SlotsOf(2)).Should().Be((1ul << 63, 0ul, 1ul << 63, 1ul));
        (set.HasReg(3), set.HasReg(9), set.HasReg(0, 9), set.HasReg(0, 3)).Should().Be((true, false, true, false));
        (set.HasSlot(1, 63), set.HasSlot(0, 63), set.HasSlot(1, 62)).Should().Be((true, false, false));
        set.IsEmpty.Should().BeFalse();

        set.ClearReg(3);
        set.ClearReg(0, 9);
        set.IsEmpty.Should().BeFalse("a slot is left");
        set.ClearSlot(1, 63);
        set.IsEmpty.Should().BeTrue("frames further in do not count");
        set.Frame = 2;
        set.IsEmpty.Should().BeFalse();
        set.ClearSlot(2, 0);
        set.SetReg(0, 1);
        set.IsEmpty.Should().BeFalse("frames further out do");
        BacktrackSet.ArgsMask.Should().Be(0b111110);
    }

    [Fact]
    public void Clearing_OneBit_LeavesTheOthers()
    {
        var set = new BacktrackSet();
        for (var i = 0; i < 11; i++)
        {
            set.SetReg(i);
            set.SetSlot(0, i);
        }

        set.ClearReg(5);
        set.ClearReg(0, 6);
        set.ClearSlot(0, 7);
        (set.Regs, set.Slots).Should().Be((0x7ffu & ~0x60u, 0x7fful & ~0x80ul));
    }

    [Theory]
    [InlineData(true, 0x20eu)]
    [InlineData(false, 0x200u)]
    public void LeavingAFrame_HandsItsArgumentsToTheCaller_OrToNobody(bool passes, uint caller)
    {
        var set = new BacktrackSet { Frame = 1 };
        set.SetReg(0, 9);
        set.SetReg(1);
        set.SetReg(2);
        set.SetReg(3);
        set.LeaveFrame(passes);

        (set.Frame, set.RegsOf(0), set.RegsOf(1)).Should().Be((0, caller, 0u));
        FluentActions.Invoking(() => set.LeaveFrame(passes)).Should().Throw<InvariantException>();
    }

    [Fact]
    public void Frames_AreNoMoreThanAKernelMayHave()
    {
        var set = new BacktrackSet();
        for (var i = 1; i < Limits.MaxCallFrames; i++)
        {
            set.EnterFrame();
        }

        FluentActions.Invoking(set.EnterFrame).Should().Throw<InvariantException>();
    }

    [Fact]
    public void Places_ThatLearntTogether_MatterTogether()
    {
        var linked = LinkedRegs.Pack(
        [
            LinkedRegs.Entry(0, 1, isReg: true), LinkedRegs.Entry(1, 2, isReg: true),
            LinkedRegs.Entry(1, 3, isReg: false),
        ]);
        var set = new BacktrackSet { Frame = 1 };
        set.SetReg(0, 2);
        set.SyncLinked(linked);
        (set.RegsOf(0), set.RegsOf(1), set.SlotsOf(1)).Should().Be((4u, 0u, 0ul), "none of them matters");

        set.SetSlot(1, 3);
        set.SyncLinked(linked);
        (set.RegsOf(0), set.RegsOf(1), set.SlotsOf(1)).Should().Be((6u, 4u, 8ul));
    }

    [Fact]
    public void Places_HaveTheNamesThatTheLogPrints()
    {
        var set = new BacktrackSet();
        set.SetReg(0);
        set.SetReg(9);
        set.SetSlot(0, 0);
        set.SetSlot(0, 63);

        set.NamesOfRegs(0).Should().Equal("r0", "r9");
        set.OffsetsOfSlots(0).Should().Equal(-8, -512);
    }
}
