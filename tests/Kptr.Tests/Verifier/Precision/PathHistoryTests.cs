using Kptr.Verifier.Precision;
using Kptr.Verifier.State;

namespace Kptr.Tests.Verifier.Precision;

/// <summary>The path of a state, walked back: what is recorded of it and what the code itself tells.</summary>
public class PathHistoryTests
{
    private readonly PathHistory _history = new();

    [Fact]
    public void Steps_ThatAreNotRecorded_AreToTheNextInstruction()
    {
        var state = new VerifierState { FirstInsnIdx = 2 };

        PathOf(state, 5).Should().Equal(5, 4, 3, 2);
    }

    [Fact]
    public void Jump_IsWalkedBackToWhereItCameFrom()
    {
        var state = new VerifierState { FirstInsnIdx = 0 };
        Push(state, 7, prev: 1);
        Push(state, 3, prev: 8);

        PathOf(state, 4).Should().Equal(4, 3, 8, 7, 1, 0);
    }

    [Fact]
    public void Instruction_ThatTwoThingsAreSaidOf_HasOneRecord()
    {
        var state = new VerifierState { FirstInsnIdx = 0 };
        Push(state, 4, prev: 2, HistFlags.DstRegStack);
        _history.Push(state, 4, 2, HistFlags.SrcRegStack, linkedRegs: 9);

        state.HistEnd.Should().Be(1);
        _history.Of(state, 1, 4).Should().Be(new HistEntry(4, 2, HistFlags.DstRegStack | HistFlags.SrcRegStack, 9));
        Push(state, 4, prev: 4);
        state.HistEnd.Should().Be(2, "another round is another instruction");
    }

    [Fact]
    public void Record_IsFoundAtTheEndOfTheOwnStretchOnly()
    {
        var state = new VerifierState();
        Push(state, 4, prev: 2);
        Push(state, 9, prev: 5);

        _history.Of(state, 2, 9).PrevIdx.Should().Be(5);
        _history.Of(state, 2, 4).Should().Be(default(HistEntry));
        _history.Of(state, 1, 4).PrevIdx.Should().Be(2);
        state.HistStart = 1;
        _history.Of(state, 1, 4).Should().Be(default(HistEntry), "it is the parent's");
    }

    /// <summary>A loop of one instruction comes back to the first of the stretch.</summary>
    [Fact]
    public void FirstInstruction_MetAgain_IsNotTheStart()
    {
        var state = new VerifierState { FirstInsnIdx = 3 };
        Push(state, 3, prev: 2);
        Push(state, 3, prev: 4);

        PathOf(state, 3).Should().Equal(3, 4, 3);
    }

    [Fact]
    public void Part_OfAPathThatIsOver_ComesBackOverWhatOthersWrote()
    {
        var state = new VerifierState();
        Push(state, 1, prev: 0);
        Push(state, 5, prev: 2);
        Push(state, 8, prev: 6);
        var part = _history.Copy(1, 3);
        var other = new VerifierState { HistEnd = 1 };
        Push(other, 30, prev: 20);
        Push(other, 31, prev: 20);
        _history.Restore(part, 1);

        PathOf(state, 8).Should().Equal(8, 6, 5, 2, 1, 0);
        _history.Copy(3, 2).Should().BeEmpty("the path went back before it");
    }

    [Fact]
    public void Path_MayBeLong()
    {
        var state = new VerifierState();
        for (var i = 1; i < 2000; i++)
        {
            Push(state, i, prev: i - 1);
        }

        PathOf(state, 1999).Should().HaveCount(2000).And.BeInDescendingOrder();
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

    private void Push(VerifierState state, int insnIdx, int prev, int flags = 0)
    {
        _history.BeginInsn();
        _history.Push(state, insnIdx, prev, flags, linkedRegs: 0);
    }

    private List<int> PathOf(VerifierState state, int last)
    {
        List<int> path = [last];
        for (var end = state.HistEnd; _history.TryGetPrev(state, ref last, ref end);)
        {
            path.Add(last);
        }

        return path;
    }
}
