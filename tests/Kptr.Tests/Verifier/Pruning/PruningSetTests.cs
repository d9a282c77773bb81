using Kptr.Verifier;
using Kptr.Verifier.Pruning;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Pruning;

/// <summary>
/// The small sets that comparison and backtracking keep: which ids agree, which registers and slots matter.
/// </summary>
public class PruningSetTests
{
    [Fact]
    public void Ids_AgreeOneToOne()
    {
        var ids = new IdMap();
        ids.Reset(100);

        ids.Check(1, 7).Should().BeTrue("a new pair");
        ids.Check(2, 8).Should().BeTrue("another");
        ids.Check(1, 7).Should().BeTrue("the same pair again");
        ids.Check(1, 8).Should().BeFalse("the old id stands for 7");
        ids.Check(3, 7).Should().BeFalse("7 is taken");
        ids.Check(7, 1).Should().BeTrue("sides are not exchanged");
        ids.Check(0, 0).Should().BeTrue();
        ids.Check(0, 9).Should().BeFalse("no id is no new id");
        ids.Check(9, 0).Should().BeFalse();
        ids.Reset(100);
        ids.Check(1, 8).Should().BeTrue("a reset forgets");
    }

    [Fact]
    public void Ids_OfScalars_MayBeMissingInTheOldState()
    {
        var ids = new IdMap();
        ids.Reset(100);

        ids.CheckScalar(0, 5).Should().BeTrue("the old state asks for nothing");
        ids.CheckScalar(1, 0).Should().BeTrue("a scalar without id gets one of its own, 101");
        ids.CheckScalar(1, 0).Should().BeFalse("but each of them another");
        ids.CheckScalar(1, 101).Should().BeTrue();
        ids.CheckScalar(2, 5).Should().BeTrue();
        ids.CheckScalar(2, 6).Should().BeFalse();
    }

    [Fact]
    public void Ids_OfScalarsWithADifference_AgreeWithAndWithoutIt()
    {
        var ids = new IdMap();
        ids.Reset(0);

        ids.CheckScalar(1 | RegState.AddConst, 2 | RegState.AddConst).Should().BeTrue();
        ids.CheckScalar(1, 2).Should().BeTrue("the base ids are a pair now");
        ids.CheckScalar(1, 3).Should().BeFalse();
        ids.CheckScalar(4 | RegState.AddConst, 2 | RegState.AddConst).Should().BeFalse();
        ids.CheckScalar(5, 6).Should().BeTrue();
        ids.CheckScalar(5 | RegState.AddConst, 7 | RegState.AddConst).Should().BeFalse("5 stands for 6");
    }

    [Fact]
    public void LoneIds_AreTakenFromNumbersThatNoOtherIsLinkedWith()
    {
        var state = new VerifierState();
        var regs = (state.Frames[0] = new FuncState()).Regs;
        int[] ids = [1, 1 | RegState.AddConst32, 2, 3 | RegState.AddConst64, 0];
        for (var i = 0; i < ids.Length; i++)
        {
            regs[i].MarkUnknown(precise: false);
            (regs[i].Id, regs[i].Off) = (ids[i], i);
        }

        (regs[8].Type, regs[8].Id) = (RegType.PtrToMapValue | RegType.MaybeNull, 2);
        new LoneIds().Clear(state);
        regs.Take(5).Select(r => (r.Id, r.Off)).Should().Equal(
            (1, 0), (1 | RegState.AddConst32, 1), (0, 0), (0, 0), (0, 4));
        regs[8].Id.Should().Be(2, "a pointer's id is no number's");
    }

    [Fact]
    public void Ids_MoreThanStatesCanHold_DoNotAgree()
    {
        const int PairsMax = (11 + 64) * 16;
        var ids = new IdMap();
        ids.Reset(0);

        Enumerable.Range(1, PairsMax).Should().OnlyContain(i => ids.Check(i, i + 1));
        ids.Check(PairsMax, PairsMax + 1).Should().BeTrue();
        ids.Check(PairsMax + 1, PairsMax + 2).Should().BeFalse();
    }

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

    [Fact]
    public void LinkedRegisters_OfAllSixPlaces_ArePackedInOneWord()
    {
        int[] entries =
        [
            LinkedRegs.Entry(0, 0, isReg: true), LinkedRegs.Entry(7, 10, isReg: true),
            LinkedRegs.Entry(3, 63, isReg: false),
            LinkedRegs.Entry(1, 1, isReg: false), LinkedRegs.Entry(15, 63, isReg: false),
            LinkedRegs.Entry(2, 9, isReg: true),
        ];
        var unpacked = new int[LinkedRegs.CountMax];

        LinkedRegs.Unpack(LinkedRegs.Pack(entries), unpacked).Should().Be(6);
        unpacked.Select(e => (LinkedRegs.FrameOf(e), LinkedRegs.IndexOf(e), LinkedRegs.IsReg(e))).Should().Equal(
            (2, 9, true), (15, 63, false), (1, 1, false), (3, 63, false), (7, 10, true), (0, 0, true));
        LinkedRegs.Unpack(LinkedRegs.Pack(entries.AsSpan(0, 2)), unpacked).Should().Be(2);
        LinkedRegs.Unpack(0, unpacked).Should().Be(0);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(15, 63)]
    [InlineData(5, 1)]
    public void StackAccess_OfTheHistory_KnowsFrameAndSlot(int frame, int slot)
    {
        var flags = HistFlags.Access(frame, slot);
        (HistFlags.FrameOf(flags), HistFlags.SlotOf(flags)).Should().Be((frame, slot));
        (flags & HistFlags.StackAccess).Should().NotBe(0);
        (flags & (HistFlags.DstRegStack | HistFlags.SrcRegStack)).Should().Be(0);
        HistFlags.FrameOf(flags | HistFlags.DstRegStack | HistFlags.SrcRegStack).Should().Be(frame);
        HistFlags.SlotOf(flags | HistFlags.DstRegStack | HistFlags.SrcRegStack).Should().Be(slot);
    }
}
